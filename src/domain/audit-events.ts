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
  | 'unknown';

export type AuditActor = 'api-key' | 'anonymous' | 'command-line' | 'system' | 'instance';

export type AuditTargetKind = 'list' | 'value' | 'account' | 'key' | 'instance' | 'root-key' | 'data-key';

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
  readonly outcome: 'success' | 'refused';
  readonly reason: string | null;
  readonly occurrences: number;
}
