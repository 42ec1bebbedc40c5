// The audit trail in SQLite: appended to at the end of the transaction of what it describes, and pruned from its beginning.

import {
  type AuditEvent,
  type AuditTarget,
  CHAIN_START,
  type ChainedAuditEvent,
  type RecordedAuditEvent,
} from '../../domain/audit-events.ts';
import type { AuditRepository, AuditTrail, TrailEnds } from '../storage.ts';
import { prepareAuditReading } from './audit-reading.ts';
import { COLUMNS, type Row, toEvent } from './audit-rows.ts';
import { prepareAuditSearch } from './audit-search.ts';
import { type LastReads, prepareLastReads } from './last-reads.ts';
import type { Connection } from './sqlite-connection.ts';
import type { CommitParticipant, SqliteSession } from './sqlite-session.ts';

/** Events of one statement: fewer and larger ones cost a third less. */
const PORTION = 8;

/** Appends events; to be called inside a transaction. */
export interface AuditWriter {
  recordSuccess(event: AuditEvent, target: AuditTarget | null): void;
  record(event: Omit<RecordedAuditEvent, 'id'>): void;
}

export interface ChainedAuditWriter extends AuditWriter, CommitParticipant {
  follow(trail: AuditTrail): void;
  readonly lastReads: LastReads;
}

/** Collects the events of a transaction and inserts them at its end, chained, the last one with the commit's MAC. */
export function prepareAuditWriter(connection: Connection): ChainedAuditWriter {
  const insertOne = prepareInsert(1);
  const insertPortion = prepareInsert(PORTION);
  const selectLast = connection.prepare<[], { id: number; hash: string | null }>(
    'SELECT id, lower(hex(hash)) AS hash FROM audit_events ORDER BY id DESC LIMIT 1',
  );
  const selectUnchained = connection.prepare<[], Row>(`SELECT ${COLUMNS} FROM audit_events ORDER BY id`);
  const lastReads = prepareLastReads(connection);
  let trail: AuditTrail | undefined;
  let collected: Omit<RecordedAuditEvent, 'id'>[] = [];
  let end: { eventId: number; hash: string } | undefined;

  /** What was written before there was a chain is hashed as if there had been one. */
  function hashUnchained({ hash }: AuditTrail): string {
    let previous = CHAIN_START;
    for (const row of selectUnchained.iterate()) previous = hash(previous, row.id, toEvent(row));
    return previous;
  }

  function findPrevious(followed: AuditTrail): { id: number; hash: string } {
    const last = selectLast.get();
    const knownId = followed.lastKnownId();
    const lastId = last?.id ?? 0;
    if (lastId < knownId) followed.tailMissing(lastId);
    if (last === undefined) return { id: knownId, hash: CHAIN_START };
    return { id: Math.max(lastId, knownId), hash: last.hash || hashUnchained(followed) };
  }

  function prepareInsert(rows: number) {
    return connection.prepare<unknown[]>(
      `INSERT INTO audit_events (id, occurred_at, actor, account_id, api_key_id, action, target_kind, target_id,
         target_parent_id, outcome, reason, request_id, address, occurrences, hash, commit_mac)
       VALUES ${Array(rows).fill('(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').join()}`,
    );
  }

  function insertAll(rows: readonly unknown[][]): void {
    const inPortions = rows.length - (rows.length % PORTION);
    for (let i = 0; i < inPortions; i += PORTION) insertPortion.run(...rows.slice(i, i + PORTION));
    for (const row of rows.slice(inPortions)) insertOne.run(row);
  }

  return {
    lastReads,
    record: (event) => void collected.push(event),
    recordSuccess: (event, target) =>
      void collected.push({ ...event, target, outcome: 'success', reason: null, occurrences: 1 }),

    follow(followed) {
      trail = followed;
    },

    mark: () => collected.length,

    dropAfter(mark) {
      collected.length = mark;
      end = undefined;
    },

    beforeCommit() {
      if (collected.length === 0) return;
      if (trail === undefined) throw new Error('the audit trail is followed by nobody yet');
      let { id, hash } = findPrevious(trail);
      const firstId = id + 1;
      const lastId = id + collected.length;
      const rows: unknown[][] = [];
      for (const event of collected) {
        id += 1;
        hash = trail.hash(hash, id, event);
        rows.push(rowOf(id, event, hash, id === lastId ? trail.commitMac(firstId, hash) : null));
      }
      insertAll(rows);
      lastReads.note(lastId);
      end = { eventId: lastId, hash };
    },

    afterCommit() {
      collected = [];
      if (end === undefined) return;
      lastReads.committed();
      trail?.committed(end);
      end = undefined;
    },
  };
}

function rowOf(id: number, event: Omit<RecordedAuditEvent, 'id'>, hash: string, mac: Uint8Array | null): unknown[] {
  const { target } = event;
  return [
    id,
    event.occurredAt,
    event.actor,
    event.accountId,
    event.apiKeyId,
    event.action,
    target === null ? null : target.kind,
    target === null ? null : target.id,
    target === null ? null : target.parentId,
    event.outcome,
    event.reason,
    event.requestId,
    event.address,
    event.occurrences,
    Buffer.from(hash, 'hex'),
    mac,
  ];
}

export function createAuditRepository(session: SqliteSession, writer: ChainedAuditWriter): AuditRepository {
  const { connection } = session;
  const selectNewest = connection.prepare<[number], Row>(
    `SELECT ${COLUMNS} FROM audit_events ORDER BY id DESC LIMIT ?`,
  );
  const allowPruning = connection.prepare<[number]>('INSERT INTO audit_pruning (up_to) VALUES (?)');
  const removeUpTo = connection.prepare<[number]>('DELETE FROM audit_events WHERE id <= ?');
  const forbidPruning = connection.prepare('DELETE FROM audit_pruning');
  const { search } = prepareAuditSearch(connection);
  const { findEnds, listChained } = prepareAuditReading(connection);

  /** Whole commits, all older; never the last one, which the next one goes on from. */
  function findPrunable(before: string, limit: number, ends: TrailEnds): ChainedAuditEvent[] {
    const { firstId, lastId } = ends;
    const oldest = listChained(firstId - 1, limit);
    const firstNewer = oldest.findIndex(({ id, occurredAt }) => id >= lastId || occurredAt >= before);
    const older = firstNewer === -1 ? oldest : oldest.slice(0, firstNewer);
    const lastSealed = older.findLastIndex(({ commitMac }) => commitMac !== null);
    if (lastSealed === -1 && firstNewer === -1 && oldest.length === limit) {
      return findPrunable(before, limit * 2, ends);
    }
    return older.slice(0, lastSealed + 1);
  }

  return {
    follow: (trail) => writer.follow(trail),

    record: (event, targets, reason = null) =>
      session.collect(() => {
        for (const target of targets.length === 0 ? [null] : targets) {
          writer.record({ ...event, target, outcome: 'success', reason, occurrences: 1 });
        }
      }),

    // Not from the reserve, which anybody could then use up; they are tried again.
    recordRefusals: (events) =>
      session.write(() => {
        for (const event of events) writer.record({ ...event, outcome: 'refused' });
      }),

    list: (limit) => session.read(() => selectNewest.all(limit).map((row) => toEvent(row))),
    search: (filter, limit) => session.read(() => search(filter, limit)),
    findLastRead: (value) => session.read(() => writer.lastReads.find(value)),
    findEnds: () => session.read(findEnds),
    listChained: (afterId, limit) => session.read(() => listChained(afterId, limit)),

    prune: (before, limit, check, event) =>
      session.writeFromReserve(() => {
        const ends = findEnds();
        const events = findPrunable(before, limit, ends);
        const last = events.at(-1);
        if (last === undefined) return 0;
        check(events, ends);
        allowPruning.run(last.id);
        removeUpTo.run(last.id);
        forbidPruning.run();
        const target = { kind: 'event', id: last.id, parentId: null } as const;
        writer.record({ ...event, target, outcome: 'success', reason: last.hash, occurrences: 1 });
        return events.length;
      }),
  };
}
