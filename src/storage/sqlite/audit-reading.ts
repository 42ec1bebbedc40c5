// Reads the audit trail as it is chained. Changes nothing, so it works on a connection that can't write, too.

import type { AuditHead, ChainedAuditEvent } from '../../domain/audit-events.ts';
import type { TrailEnds } from '../storage.ts';
import { CHAINED_COLUMNS, type ChainedRow, toEvent } from './audit-rows.ts';
import type { Connection } from './sqlite-connection.ts';

export interface AuditReading {
  findEnds(): TrailEnds;
  /** Oldest first. */
  listChained(afterId: number, limit: number): ChainedAuditEvent[];
}

export function prepareAuditReading(connection: Connection): AuditReading {
  const selectChained = connection.prepare<[number, number], ChainedRow>(
    `SELECT ${CHAINED_COLUMNS} FROM audit_events WHERE id > ? ORDER BY id LIMIT ?`,
  );
  const selectEnds = connection.prepare<[], Pick<TrailEnds, 'firstId' | 'lastId'>>(
    `SELECT ifnull((SELECT min(id) FROM audit_events), 0) AS firstId,
       ifnull((SELECT max(id) FROM audit_events), 0) AS lastId`,
  );
  const selectPruned = connection.prepare<[], AuditHead>(
    `SELECT target_id AS eventId, reason AS hash FROM audit_events
     WHERE action = 'audit.prune' AND outcome = 'success' ORDER BY id DESC LIMIT 1`,
  );

  return {
    findEnds() {
      const { firstId = 0, lastId = 0 } = selectEnds.get() ?? {};
      return { firstId, lastId, prunedTo: selectPruned.get() };
    },

    listChained: (afterId, limit) => selectChained.all(afterId, limit).map((row) => toEvent(row)),
  };
}
