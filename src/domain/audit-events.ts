// What the audit trail says. Ids, codes and addresses only: never a value, a key name or a token.

export type AuditAction =
  | 'list.list'
  | 'list.read'
  | 'list.create'
  | 'list.update'
  | 'list.delete'
  | 'value.list-all'
  | 'value.list'
  | 'value.read'
  | 'value.create'
  | 'value.update'
  | 'value.delete'
  | 'account.create'
  | 'account.delete'
  | 'key.create'
  | 'key.revoke'
  | 'root-key.rotate'
  | 'root-key.drop'
  | 'data-key.rotate'
  | 'user-data.render'
  | 'user-data.check'
  | 'instance.list'
  | 'instance.read'
  | 'instance.create'
  | 'instance.delete'
  | 'instance.reopen'
  | 'seed.fetch'
  | 'seed.phone-home'
  | 'value.holders'
  | 'value.usage'
  | 'audit.start'
  | 'audit.list'
  | 'audit.prune'
  | 'audit.accept-rollback'
  | 'unknown';

export type AuditActor = 'api-key' | 'anonymous' | 'command-line' | 'system' | 'instance';

export type AuditOutcome = 'success' | 'refused';

export type AuditTargetKind = 'list' | 'value' | 'account' | 'key' | 'instance' | 'event' | 'root-key' | 'data-key';

export interface AuditTarget {
  readonly kind: AuditTargetKind;
  /** Of a root key the first 12 digits of its fingerprint, as a number; of a data key its version. */
  readonly id: number;
  /** The list of a value, the account of a key; null where there is none. */
  readonly parentId: number | null;
}

/** An event before it is written. The store adds the target, which it alone knows in the transaction. */
export interface AuditEvent {
  /** RFC 3339, UTC, milliseconds. */
  readonly occurredAt: string;
  readonly actor: AuditActor;
  readonly accountId: number | null;
  readonly apiKeyId: number | null;
  readonly action: AuditAction;
  readonly requestId: string | null;
  /** The peer's IP address; null on the command line. */
  readonly address: string | null;
}

/** A request that was refused: nothing was changed, so the event stands alone. */
export interface RefusalEvent extends AuditEvent {
  /** The error's code in domain/errors.ts. */
  readonly reason: string;
  readonly target: AuditTarget | null;
  /** More than 1 when a flood of like refusals was written as one event. */
  readonly occurrences: number;
}

export interface RecordedAuditEvent extends AuditEvent {
  readonly id: number;
  readonly target: AuditTarget | null;
  readonly outcome: AuditOutcome;
  /** The code of a refusal's error; for events about the trail itself, the hash of the event they are about. */
  readonly reason: string | null;
  readonly occurrences: number;
}

/** With what chains it; hashes and MACs in hex. */
export interface ChainedAuditEvent extends RecordedAuditEvent {
  /** Over the hash of the event before it, and its own content; null for one from before there was a chain. */
  readonly hash: string | null;
  /** On the last event of a commit alone. */
  readonly commitMac: string | null;
}

/** Stands for the hash before the first event. */
export const CHAIN_START = '0'.repeat(64);

/** Where the trail ends. */
export interface AuditHead {
  readonly eventId: number;
  readonly hash: string;
}

/** The same as it is kept outside of the database. */
export interface SealedAuditHead extends AuditHead {
  /** Hex. */
  readonly mac: string;
}

/** What is absent is not looked at. */
export interface AuditFilter {
  readonly accountId?: number | undefined;
  /** RFC 3339, UTC, milliseconds; the first moment that counts. */
  readonly from?: string | undefined;
  /** The first moment that no longer counts. */
  readonly to?: string | undefined;
  readonly apiKeyId?: number | undefined;
  readonly action?: string | undefined;
  readonly outcome?: AuditOutcome | undefined;
  readonly targetKind?: string | undefined;
  readonly targetId?: number | undefined;
  /** Only events older than this one. */
  readonly beforeId?: number | undefined;
}

export interface AuditPage {
  /** Newest first; can be fewer than asked for, or none, though there are more. */
  readonly events: readonly RecordedAuditEvent[];
  /** To be asked for next; null at the end of the trail. */
  readonly nextBeforeId: number | null;
}

/** The last time that a value left the server. */
export interface ValueUsage {
  readonly lastReadAt: string;
  readonly apiKeyId: number | null;
  readonly action: AuditAction;
}
