// An audit event as programs get it: over the API, on the command line and in exports.

import type {
  AuditAction,
  AuditActor,
  AuditOutcome,
  AuditTargetKind,
  ChainedAuditEvent,
  RecordedAuditEvent,
} from './audit-events.ts';

export interface AuditRecord {
  readonly id: number;
  readonly occurred_at: string;
  readonly actor: string;
  readonly account_id: number | null;
  readonly key_id: number | null;
  readonly action: string;
  readonly target_kind: string | null;
  readonly target_id: number | null;
  readonly target_parent_id: number | null;
  readonly outcome: string;
  readonly reason: string | null;
  readonly request_id: string | null;
  readonly address: string | null;
  readonly occurrences: number;
}

export interface ChainedAuditRecord extends AuditRecord {
  readonly hash: string | null;
  readonly commit_mac: string | null;
}

export function auditRecord(event: RecordedAuditEvent): AuditRecord {
  const { target } = event;
  return {
    id: event.id,
    occurred_at: event.occurredAt,
    actor: event.actor,
    account_id: event.accountId,
    key_id: event.apiKeyId,
    action: event.action,
    target_kind: target?.kind ?? null,
    target_id: target?.id ?? null,
    target_parent_id: target?.parentId ?? null,
    outcome: event.outcome,
    reason: event.reason,
    request_id: event.requestId,
    address: event.address,
    occurrences: event.occurrences,
  };
}

export function chainedAuditRecord(event: ChainedAuditEvent): ChainedAuditRecord {
  return { ...auditRecord(event), hash: event.hash, commit_mac: event.commitMac };
}

/** The event of an exported record. What isn't as it was written doesn't fit its hash, whatever it is. */
export function parseAuditRecord(record: ChainedAuditRecord): ChainedAuditEvent {
  return {
    id: record.id,
    occurredAt: record.occurred_at,
    actor: record.actor as AuditActor,
    accountId: record.account_id,
    apiKeyId: record.key_id,
    action: record.action as AuditAction,
    target:
      record.target_kind === null || record.target_id === null
        ? null
        : { kind: record.target_kind as AuditTargetKind, id: record.target_id, parentId: record.target_parent_id },
    outcome: record.outcome as AuditOutcome,
    reason: record.reason,
    requestId: record.request_id,
    address: record.address,
    occurrences: record.occurrences,
    hash: record.hash,
    commitMac: record.commit_mac,
  };
}
