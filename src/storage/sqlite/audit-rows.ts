// How an audit event lies in SQLite.

import type { AuditTarget, ChainedAuditEvent, RecordedAuditEvent } from '../../domain/audit-events.ts';

export const COLUMNS = `id, occurred_at AS occurredAt, actor, account_id AS accountId, api_key_id AS apiKeyId, action,
  target_kind AS targetKind, target_id AS targetId, target_parent_id AS targetParentId, outcome, reason,
  request_id AS requestId, address, occurrences`;
/** hex() makes an empty text of null. */
export const CHAINED_COLUMNS = `${COLUMNS}, nullif(lower(hex(hash)), '') AS hash,
  nullif(lower(hex(commit_mac)), '') AS commitMac`;

interface TargetColumns {
  readonly targetKind: AuditTarget['kind'] | null;
  readonly targetId: number;
  readonly targetParentId: number | null;
}
export type Row = Omit<RecordedAuditEvent, 'target'> & TargetColumns;
export type ChainedRow = Omit<ChainedAuditEvent, 'target'> & TargetColumns;

export function toEvent(row: ChainedRow): ChainedAuditEvent;
export function toEvent(row: Row): RecordedAuditEvent;
export function toEvent({ targetKind, targetId, targetParentId, ...event }: Row): RecordedAuditEvent {
  return {
    ...event,
    target: targetKind === null ? null : { kind: targetKind, id: targetId, parentId: targetParentId },
  };
}
