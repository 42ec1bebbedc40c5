// Which event read a value last. Noted beside the trail, in portions, some time later: an index of all reads would cost
// each of them more, and grow. What isn't noted yet is looked up in the trail itself.

import type { ValueUsage } from '../../domain/audit-events.ts';
import type { ReadValue } from '../storage.ts';
import type { Connection } from './sqlite-connection.ts';

/** Events that may wait to be noted. */
const PORTION = 5_000;

const READS = `outcome = 'success' AND action IN ('value.read', 'user-data.render', 'value.list', 'value.list-all')`;
const KIND = `CASE action WHEN 'value.list' THEN 'list' WHEN 'value.list-all' THEN 'account' ELSE 'value' END`;
const THING = `CASE action WHEN 'value.list-all' THEN account_id ELSE target_id END`;
const SOUGHT = `VALUES ('value', @valueId), ('list', @listId), ('account', @accountId)`;

export interface LastReads {
  /** To be called at the end of a transaction with the id of its last event. */
  note(lastId: number): void;
  /** After the commit of what was noted last. */
  committed(): void;
  find(value: ReadValue): ValueUsage | undefined;
}

export function prepareLastReads(connection: Connection): LastReads {
  const selectNotedId = connection.prepare<[], number>('SELECT ifnull(max(event_id), 0) FROM last_reads').pluck();
  // An event id that is pruned finds nothing any more, as it should.
  const noteReads = connection.prepare<[number, number]>(
    `INSERT INTO last_reads (target_kind, target_id, event_id)
       SELECT ${KIND} AS kind, ${THING} AS thing, max(id) FROM audit_events
       WHERE id > ? AND id <= ? AND ${READS} AND thing IS NOT NULL GROUP BY kind, thing
     ON CONFLICT DO UPDATE SET event_id = max(event_id, excluded.event_id)`,
  );
  const selectLast = connection.prepare<[ReadValue & { notedId: number }], ValueUsage>(
    `SELECT occurred_at AS lastReadAt, api_key_id AS apiKeyId, action FROM last_reads
       JOIN audit_events ON audit_events.id = event_id
     WHERE (last_reads.target_kind, last_reads.target_id) IN (${SOUGHT})
       AND account_id = @accountId AND occurred_at >= @createdAt
     UNION ALL
     SELECT occurred_at, api_key_id, action FROM audit_events
     WHERE id > @notedId AND account_id = @accountId AND ${READS} AND (${KIND}, ${THING}) IN (${SOUGHT})
       AND occurred_at >= @createdAt
     UNION ALL
     SELECT last_delivered_at, NULL, 'seed.fetch' FROM instance_secrets WHERE value_id = @valueId
     ORDER BY lastReadAt DESC LIMIT 1`,
  );
  let notedId: number | undefined;
  let notedOnceCommitted: number | undefined;

  return {
    note(lastId) {
      notedOnceCommitted = undefined;
      notedId ??= selectNotedId.get() ?? 0;
      if (lastId - notedId < PORTION) return;
      noteReads.run(notedId, lastId);
      notedOnceCommitted = lastId;
    },
    committed() {
      notedId = notedOnceCommitted ?? notedId;
    },
    find: (value) => selectLast.get({ ...value, notedId: notedId ?? selectNotedId.get() ?? 0 }),
  };
}
