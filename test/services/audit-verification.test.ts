// Whoever writes to the database without the root key: what verifying the audit trail then says, in sentences.

import { hash as sha256 } from 'node:crypto';
import { cpSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { beforeAll, describe, expect, test } from 'vitest';
import { composeAdministration, composeServer } from '../../src/compose.ts';
import { migrateStore } from '../../src/compose-storage.ts';
import { readConfig } from '../../src/config.ts';
import { CHAIN_START, type ChainedAuditEvent } from '../../src/domain/audit-events.ts';
import { createLogger } from '../../src/logger.ts';
import { type AuditTrailService, verifyTrail } from '../../src/services/audit-trail-service.ts';
import type { AuditReader } from '../../src/storage/storage.ts';
import { query } from '../http/database-file.ts';
import { someEvent } from '../storage/sqlite/store-directories.ts';
import { TEST_CHAIN } from '../support/audit-trails.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { startTestServer } from '../support/test-server.ts';

/** Events 1 and 2 of the first start; then one each of a commit of its own, but 7 to 9, which share one. */
const LAST_ID = 14;
let original: string;

beforeAll(async () => {
  const server = await startTestServer();
  const lists = (name: string) => server.request('POST', '/api/secrets/lists', { body: { name } });
  for (const name of ['3', '4', '5', '6']) await lists(`list ${name}`);
  await Promise.all(['7', '8', '9'].map((name) => lists(`list ${name}`)));
  for (const name of ['10', '11', '12', '13', '14']) await lists(`list ${name}`);
  await server.close();
  original = server.config.dataDirectory;
});

function copy(): string {
  const directory = join(temporaryDirectory(), 'data');
  cpSync(original, directory, { recursive: true });
  return directory;
}

type Row = Record<string, string | number | Buffer | null>;

/** What somebody with the database alone can do: triggers are no obstacle. */
function tamper(directory: string, work: (database: Database.Database) => void): void {
  const database = new Database(join(directory, 'secret-manager.db'), { fileMustExist: true });
  for (const name of ['append_only', 'pruned_in_order'])
    database.exec(`DROP TRIGGER IF EXISTS audit_events_are_${name}`);
  work(database);
  database.close();
}

async function withTrail<T>(directory: string, work: (audit: AuditTrailService) => Promise<T>): Promise<T> {
  const administration = await composeAdministration(readConfig({ SECRET_MANAGER_DATA_DIR: directory }), {
    mayBeRolledBack: true,
  });
  try {
    return await work(administration.audit);
  } finally {
    await administration.close();
  }
}

function verify(directory: string) {
  return withTrail(directory, (audit) => audit.verify(() => undefined));
}

function exported(directory: string) {
  return withTrail(directory, async (audit) => {
    const events: ChainedAuditEvent[] = [];
    for await (const batch of audit.readAll()) events.push(...batch);
    return events;
  });
}

function verifyExport(directory: string, events: readonly ChainedAuditEvent[]) {
  async function* batches() {
    yield events;
  }
  return withTrail(directory, (audit) => audit.verifyPart(batches()));
}

/** The hash of a row as anybody can make it, after docs/operations/audit.md. */
function rehash(previous: string, row: Row): string {
  const { hash: _, commit_mac: __, ...content } = row;
  return sha256('sha256', JSON.stringify([previous, ...Object.values(content)]));
}

function rowOf(database: Database.Database, id: number): Row {
  return database.prepare('SELECT * FROM audit_events WHERE id = ?').get(id) as Row;
}

function hashOf(database: Database.Database, id: number): string {
  return (rowOf(database, id)['hash'] as Buffer).toString('hex');
}

function exchange(database: Database.Database, one: number, other: number): void {
  for (const [from, to] of [
    [one, 1_000],
    [other, one],
    [1_000, other],
  ]) {
    database.prepare('UPDATE audit_events SET id = ? WHERE id = ?').run(to, from);
  }
}

function rewriteFrom(database: Database.Database, firstId: number): void {
  for (let id = firstId; id <= LAST_ID; id += 1) {
    const hash = rehash(hashOf(database, id - 1), rowOf(database, id));
    database.prepare('UPDATE audit_events SET hash = ? WHERE id = ?').run(Buffer.from(hash, 'hex'), id);
  }
}

function insertCopy(database: Database.Database, id: number): void {
  const row = { ...rowOf(database, id - 1), id, commit_mac: null } as Row;
  row['hash'] = Buffer.from(rehash(hashOf(database, id - 1), row), 'hex');
  const names = Object.keys(row);
  database.prepare(`INSERT INTO audit_events VALUES (${names.map((name) => `@${name}`).join()})`).run(row);
}

test('a trail as it was written has nothing to be said of', async () => {
  const { events, end, findings, notices } = await verify(copy());
  expect({ events, findings, notices }).toEqual({ events: LAST_ID, findings: [], notices: [] });
  expect(end).toEqual({ eventId: LAST_ID, hash: expect.stringMatching(/^[0-9a-f]{64}$/) });
});

const TAMPERINGS: [string, (database: Database.Database) => void, string[]][] = [
  [
    'an event is changed',
    (database) => database.exec("UPDATE audit_events SET address = '192.0.2.1' WHERE id = 5"),
    ['Event 5 was changed, or event 4 together with its hash.'],
  ],
  [
    'the very first event is changed',
    (database) => database.exec("UPDATE audit_events SET actor = 'api-key' WHERE id = 1"),
    ['Event 1, or one before it, was changed.'],
  ],
  [
    'two events are changed',
    (database) => database.exec("UPDATE audit_events SET occurred_at = '2020' WHERE id IN (4, 11)"),
    [
      'Event 4 was changed, or event 3 together with its hash.',
      'Event 11 was changed, or event 10 together with its hash.',
    ],
  ],
  [
    'an event is changed and every hash from there on made anew',
    (database) => {
      database.exec("UPDATE audit_events SET address = '192.0.2.1' WHERE id = 12");
      rewriteFrom(database, 12);
    },
    [
      'The seal over event 12 is not genuine: something there was changed or added.',
      'The seal over event 13 is not genuine: something there was changed or added.',
      'The seal over event 14 is not genuine: something there was changed or added.',
      'Event 14 is not the one that the file head knows.',
    ],
  ],
  [
    'an event is deleted',
    (database) => database.exec('DELETE FROM audit_events WHERE id = 5'),
    ['Event 5 is missing.'],
  ],
  [
    'the first event of a commit is deleted',
    (database) => database.exec('DELETE FROM audit_events WHERE id = 7'),
    ['Event 7 is missing.'],
  ],
  [
    'the last event of a commit is deleted',
    (database) => database.exec('DELETE FROM audit_events WHERE id = 9'),
    ['Event 9 is missing.'],
  ],
  [
    'a row of events is deleted',
    (database) => database.exec('DELETE FROM audit_events WHERE id BETWEEN 4 AND 8'),
    ['Events 4 to 8 are missing.'],
  ],
  [
    'the beginning is deleted as if it were pruned',
    (database) => database.exec('DELETE FROM audit_events WHERE id <= 4'),
    ['Events 1 to 4 are missing.'],
  ],
  [
    'neighbours are exchanged',
    (database) => exchange(database, 4, 5),
    [
      'The seal over event 4 is not genuine: something there was changed or added.',
      'The seal over event 5 is not genuine: something there was changed or added.',
      'What was written as event 4 stands at 5: events were reordered.',
      'What was written as event 5 stands at 4: events were reordered.',
    ],
  ],
  [
    'events far apart are exchanged',
    (database) => exchange(database, 4, 11),
    [
      'The seal over event 4 is not genuine: something there was changed or added.',
      'The seal over event 11 is not genuine: something there was changed or added.',
      'What was written as event 4 stands at 11: events were reordered.',
      'What was written as event 11 stands at 4: events were reordered.',
    ],
  ],
  [
    'the end is cut off',
    (database) => database.exec('DELETE FROM audit_events WHERE id > 10'),
    ['Events 11 to 14 at the end are missing: the file head knows of event 14.'],
  ],
  [
    'the end is cut off and the count of ids turned back',
    (database) => {
      database.exec('DELETE FROM audit_events WHERE id = 14');
      database.exec("UPDATE sqlite_sequence SET seq = 13 WHERE name = 'audit_events'");
    },
    ['Event 14 at the end is missing: the file head knows of event 14.'],
  ],
  [
    'everything is deleted',
    (database) => database.exec('DELETE FROM audit_events'),
    ['Events 1 to 14 at the end are missing: the file head knows of event 14.'],
  ],
  [
    'an event is added at the end',
    (database) => insertCopy(database, LAST_ID + 1),
    ['No seal covers event 15 at the end: this was added, or the rest of its commit is gone.'],
  ],
  [
    'an event loses its hash',
    (database) => database.exec('UPDATE audit_events SET hash = NULL WHERE id = 6'),
    ['Event 6 has lost its hash.'],
  ],
];

describe('says what happened when', () => {
  test.each(TAMPERINGS)('%s', async (_, work, expected) => {
    const directory = copy();
    tamper(directory, work);
    const { findings } = await verify(directory);
    expect([...findings].sort()).toEqual([...expected].sort());
  });

  test('an event is slipped in before those that the server writes next', async () => {
    const directory = copy();
    tamper(directory, (database) => insertCopy(database, LAST_ID + 1));
    const server = await startTestServer({ SECRET_MANAGER_DATA_DIR: directory });
    await server.request('POST', '/api/secrets/lists');
    await server.close();
    expect((await verify(directory)).findings).toEqual([
      'The seal over events 15 to 16 is not genuine: something there was changed or added.',
    ]);
  });

  test('the end is cut off while the server runs, which tells of it at once', async () => {
    const directory = copy();
    const server = await startTestServer({ SECRET_MANAGER_DATA_DIR: directory });
    await server.request('POST', '/api/secrets/lists');
    query(server, 'DROP TRIGGER audit_events_are_pruned_in_order');
    query(server, 'DELETE FROM audit_events WHERE id > 12');
    query(server, "UPDATE sqlite_sequence SET seq = 12 WHERE name = 'audit_events'");
    await server.request('POST', '/api/secrets/lists');
    await server.close();
    expect(server.logLines.join('')).toContain('ALARM: audit events at the end of the trail are gone');
    expect((await verify(directory)).findings).toEqual(['Events 13 to 15 are missing.']);
  });

  test.each([
    ['changed', "UPDATE system_keys SET wrapped_key = zeroblob(61) WHERE purpose = 'audit-chain'", 'do not open'],
    ['deleted', "DELETE FROM system_keys WHERE purpose = 'audit-chain'", 'but the file head knows event 14'],
  ])('the key of the chain is %s: the next start is refused', async (_, sql, sentence) => {
    const directory = copy();
    tamper(directory, (database) => database.exec(sql));
    await expect(startTestServer({ SECRET_MANAGER_DATA_DIR: directory })).rejects.toMatchObject({
      kind: 'storage',
      message: expect.stringContaining(sentence),
    });
  });

  test('the file head is gone', async () => {
    const directory = copy();
    rmSync(join(directory, 'head'));
    expect((await verify(directory)).findings).toEqual([
      'The file head is missing or damaged: whether the newest events are there cannot be told.',
    ]);
  });
});

test('a trail that is pruned while it is read is read anew', async () => {
  const events = Array.from({ length: 3_000 }, (_, i): ChainedAuditEvent => {
    const event = {
      ...someEvent(),
      id: i + 1,
      target: null,
      outcome: 'success',
      reason: null,
      occurrences: 1,
    } as const;
    return { ...event, hash: '', commitMac: '' };
  });
  let previous = CHAIN_START;
  const trail = events.map((event) => {
    previous = TEST_CHAIN.hash(previous, event.id, event);
    const commitMac = Buffer.from(TEST_CHAIN.commitMac(event.id, previous)).toString('hex');
    return { ...event, hash: previous, commitMac };
  });
  let prunedTo = 0;
  const reader = {
    findEnds: async () => ({
      firstId: prunedTo + 1,
      lastId: trail.length,
      prunedTo: prunedTo === 0 ? undefined : { eventId: prunedTo, hash: trail[prunedTo - 1]?.hash ?? '' },
    }),
    async listChained(afterId: number, limit: number) {
      const batch = trail.filter(({ id }) => id > Math.max(afterId, prunedTo)).slice(0, limit);
      prunedTo = 2_000;
      return batch;
    },
  } as unknown as AuditReader;
  expect(await verifyTrail(TEST_CHAIN, reader, undefined, () => undefined)).toMatchObject({
    events: 1_000,
    findings: [],
  });
});

test('a gap that was accepted stays explained when everything before it is pruned', async () => {
  const directory = copy();
  tamper(directory, (database) => database.exec('DELETE FROM audit_events WHERE id > 10'));
  const config = readConfig({ SECRET_MANAGER_DATA_DIR: directory, PORT: '0' });
  const lines: string[] = [];
  const logger = createLogger('info', { write: (line) => void lines.push(line) });
  await (await composeServer(config, logger, () => undefined, { acceptRollback: true })).close();
  expect(lines.join('')).toContain('going on with a store that lost events');
  expect(lines.join('')).not.toContain('ALARM');
  expect(await verify(directory)).toMatchObject({ events: 11, findings: [] });

  const administration = await composeAdministration(readConfig({ SECRET_MANAGER_DATA_DIR: directory }));
  const { events } = await administration.audit.search({ action: 'audit.accept-rollback' }, 1);
  expect(await administration.audit.prune(new Date(events[0]?.occurredAt ?? ''), 'command-line')).toBe(10);
  await administration.close();
  expect(await verify(directory)).toMatchObject({
    events: 2,
    findings: [],
    notices: ['Events 11 to 14 went with a store that was rolled back, which event 15 accepts.'],
  });

  tamper(directory, (database) => insertCopy(database, 17));
  tamper(directory, (database) => database.exec('UPDATE audit_events SET id = 9 WHERE id = 17'));
  expect((await verify(directory)).findings).toContain('Event 9 was pruned, and is there again.');
});

describe('a store from before there was a chain', () => {
  const BEFORE_THE_CHAIN =
    'Events 1 to 14 are from before there was a chain; nothing shows whether they were changed before it began.';

  /** The same events without what the migration added; the next start adds it again. */
  function unchained(how: { keepHead: boolean } = { keepHead: false }): string {
    const directory = copy();
    tamper(directory, (database) => {
      database.exec(`
        ALTER TABLE audit_events DROP COLUMN hash;
        ALTER TABLE audit_events DROP COLUMN commit_mac;
        DROP INDEX audit_events_of_pruning;
        DROP TABLE last_reads;
        DROP TABLE audit_pruning;
        DELETE FROM system_keys WHERE purpose = 'audit-chain';
        DELETE FROM schema_migrations WHERE name LIKE '%-audit-chain';
        CREATE TRIGGER audit_events_are_append_only BEFORE UPDATE ON audit_events
          BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END;
      `);
    });
    if (!how.keepHead) rmSync(join(directory, 'head'));
    return directory;
  }

  async function upgrade(directory: string): Promise<string> {
    const server = await startTestServer({ SECRET_MANAGER_DATA_DIR: directory });
    await server.request('POST', '/api/secrets/lists');
    await server.close();
    return server.logLines.join('');
  }

  test('is chained at its next start, from its first event on', async () => {
    const directory = unchained();
    expect(await upgrade(directory)).toMatch(/"level":"warn".*"lastId":14,.*the audit trail had no chain/);
    expect(await upgrade(directory)).not.toContain('the audit trail had no chain');
    expect(await verify(directory)).toMatchObject({
      events: LAST_ID + 3,
      findings: [],
      notices: [BEFORE_THE_CHAIN],
    });
  });

  test('is chained by a server alone, never by a command', async () => {
    const directory = unchained();
    await migrateStore(readConfig({ SECRET_MANAGER_DATA_DIR: directory }));
    await expect(composeAdministration(readConfig({ SECRET_MANAGER_DATA_DIR: directory }))).rejects.toMatchObject({
      kind: 'storage',
      message: 'The audit trail has no chain yet; run "secret-manager serve" once to begin it.',
    });
    expect(existsSync(join(directory, 'head'))).toBe(false);
  });

  test('is covered in an export from its first event on', async () => {
    const directory = unchained();
    await upgrade(directory);
    const events = await exported(directory);
    expect(await verifyExport(directory, events)).toMatchObject({ findings: [], notices: [BEFORE_THE_CHAIN] });
    const edited = events.map((event) => (event.id === 3 ? { ...event, address: '192.0.2.1' } : event));
    expect((await verifyExport(directory, edited)).findings).toEqual(['Event 15, or one before it, was changed.']);
    expect(await verifyExport(directory, edited.slice(2))).toMatchObject({
      findings: [],
      notices: ['Events 3 to 14 are from before there was a chain; nothing shows whether they were changed.'],
    });
  });

  test('that was put back after the upgrade is refused, and accepted only when an operator says so', async () => {
    const directory = unchained({ keepHead: true });
    tamper(directory, (database) => database.exec('DELETE FROM audit_events WHERE id > 10'));
    await expect(upgrade(directory)).rejects.toMatchObject({
      kind: 'storage',
      message: expect.stringMatching(/^The database has no audit chain, but the file head knows event 14: /),
    });
    const config = readConfig({ SECRET_MANAGER_DATA_DIR: directory, PORT: '0' });
    await (await composeServer(config, createLogger('silent'), () => undefined, { acceptRollback: true })).close();
    await upgrade(directory);
    expect(await verify(directory)).toMatchObject({
      events: 13,
      findings: [],
      notices: [
        'Events 11 to 14 went with a store that was rolled back, which event 15 accepts.',
        'Events 1 to 10 are from before there was a chain; nothing shows whether they were changed before it began.',
      ],
    });
    expect((await verifyExport(directory, await exported(directory))).findings).toEqual([]);
  });

  test('has its old events covered by the first chained one', async () => {
    const directory = unchained();
    await upgrade(directory);
    tamper(directory, (database) => database.exec("UPDATE audit_events SET address = '192.0.2.1' WHERE id = 3"));
    expect((await verify(directory)).findings).toEqual(['Event 15, or one before it, was changed.']);
  });
});
