// The audit trail in SQLite: only ever appended to, in the transaction of what it describes.

import type { AuditEvent, AuditTarget, RecordedAuditEvent } from '../../domain/audit-events.ts';
import type { AuditRepository } from '../storage.ts';
import type { SqliteSession } from './sqlite-session.ts';

/** Appends events; to be called inside a transaction. */
export interface AuditWriter {
  recordSuccess(event: AuditEvent, target: AuditTarget | null): void;
  record(event: Omit<RecordedAuditEvent, 'id'>): void;
}

interface Row extends Omit<RecordedAuditEvent, 'target'> {
  readonly targetKind: AuditTarget['kind'] | null;
  readonly targetId: number;
  readonly targetParentId: number | null;
}

export function prepareAuditWriter({ connection }: SqliteSession): AuditWriter {
  const insert = connection.prepare(
    `INSERT INTO audit_events (occurred_at, actor, account_id, api_key_id, action, target_kind, target_id,
       target_parent_id, outcome, reason, request_id, address, occurrences)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );

  function record(event: Omit<RecordedAuditEvent, 'id'>): void {
    insert.run(
      event.occurredAt,
      event.actor,
      event.accountId,
      event.apiKeyId,
      event.action,
      event.target?.kind ?? null,
      event.target?.id ?? null,
      event.target?.parentId ?? null,
      event.outcome,
      event.reason,
      event.requestId,
      event.address,
      event.occurrences,
    );
  }

  return {
    record,
    recordSuccess: (event, target) => record({ ...event, target, outcome: 'success', reason: null, occurrences: 1 }),
  };
}

export function createAuditRepository(session: SqliteSession, writer: AuditWriter): AuditRepository {
  const selectNewest = session.connection.prepare<[number], Row>(
    `SELECT id, occurred_at AS occurredAt, actor, account_id AS accountId, api_key_id AS apiKeyId, action,
       target_kind AS targetKind, target_id AS targetId, target_parent_id AS targetParentId, outcome, reason,
       request_id AS requestId, address, occurrences
     FROM audit_events ORDER BY id DESC LIMIT ?`,
  );

  return {
    recordRefusals: (events) =>
      session.write(() => {
        for (const event of events) writer.record({ ...event, outcome: 'refused' });
      }),

    list: (limit) =>
      session.read(() =>
        selectNewest.all(limit).map(({ targetKind, targetId, targetParentId, ...event }) => ({
          ...event,
          target: targetKind === null ? null : { kind: targetKind, id: targetId, parentId: targetParentId },
        })),
      ),
  };
}
