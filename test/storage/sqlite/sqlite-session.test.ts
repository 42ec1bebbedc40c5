// Writes one after another, each a transaction; what they do while somebody else holds the lock, and after a failed
// fsync.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { afterEach, describe, expect, test } from 'vitest';
import { createDatabaseFile, openConnection } from '../../../src/storage/sqlite/sqlite-connection.ts';
import { createSqliteSession, type SqliteSession } from '../../../src/storage/sqlite/sqlite-session.ts';
import { databaseIn, freshDirectory } from './store-directories.ts';

/** Generous: a slow machine may pause, SQLite's own waiting would take as long as the lock. */
const FREE_LOOP_MS = 200;

const toClose: Database.Database[] = [];
afterEach(() => {
  for (const connection of toClose.splice(0)) connection.close();
});

interface Scene {
  readonly session: SqliteSession;
  readonly foreign: Database.Database;
  outcomesUnknown: number;
  insert(text: string): Promise<string>;
  texts(): Promise<string[]>;
}

function scene(): Scene {
  const path = databaseIn(freshDirectory());
  createDatabaseFile(path);
  const connection = openConnection(path);
  const foreign = new Database(path);
  toClose.push(foreign, connection);
  connection.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT');
  const insert = connection.prepare<[string], string>('INSERT INTO t (text) VALUES (?) RETURNING text').pluck();
  const select = connection.prepare<[], string>('SELECT text FROM t ORDER BY id').pluck();
  const session = createSqliteSession(connection, () => {
    made.outcomesUnknown += 1;
  });
  const made: Scene = {
    session,
    foreign,
    outcomesUnknown: 0,
    insert: (text) => session.write(() => insert.get(text) as string),
    texts: () => session.read(() => select.all()),
  };
  return made;
}

/** The commit records in the write-ahead log. Source: the SQLite file format, "The Write-Ahead Log". */
function countCommits({ connection }: SqliteSession): number {
  const log = readFileSync(`${connection.name}-wal`);
  const pageBytes = log.readUInt32BE(8);
  let commits = 0;
  for (let frame = 32; frame < log.length; frame += 24 + pageBytes) {
    if (log.readUInt32BE(frame + 4) > 0) commits += 1;
  }
  return commits;
}

/** The longest time that the event loop took for one round while the work was under way. */
async function longestPauseDuring(work: Promise<unknown>): Promise<number> {
  let isDone = false;
  const done = work.then(
    () => {
      isDone = true;
    },
    () => {
      isDone = true;
    },
  );
  let longest = 0;
  while (!isDone) {
    const startedAt = performance.now();
    await sleep(1);
    longest = Math.max(longest, performance.now() - startedAt);
  }
  await done;
  return longest;
}

describe('writes', () => {
  test('happen in the order they were asked for, and give back what they returned', async () => {
    const { insert, texts } = scene();
    const expected = Array.from({ length: 50 }, (_, i) => `text ${i}`);
    expect(await Promise.all(expected.map(insert))).toEqual(expected);
    expect(await texts()).toEqual(expected);
  });

  test('are seen by another connection as soon as they are answered', async () => {
    const { insert, foreign } = scene();
    await insert('committed');
    expect(foreign.prepare('SELECT text FROM t').pluck().all()).toEqual(['committed']);
  });

  test('that throw leave nothing and do not stop the next one', async () => {
    const { session, insert, texts } = scene();
    const failing = session.write(() => {
      session.connection.exec("INSERT INTO t (text) VALUES ('half')");
      throw new RangeError('on purpose');
    });
    const next = insert('next');
    await expect(failing).rejects.toThrow('on purpose');
    await next;
    expect(await texts()).toEqual(['next']);
    expect(session.connection.inTransaction).toBe(false);
  });

  test('are all answered before the session is settled', async () => {
    const { session, insert, texts } = scene();
    const writes = [insert('a'), insert('b'), insert('a'), insert('c')];
    const outcomes = Promise.allSettled(writes);
    await session.settled();
    expect(await texts()).toEqual(['a', 'b', 'c']);
    expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  });
});

describe('writes that arrive together', () => {
  test('share commits', async () => {
    const { insert, session } = scene();
    const before = countCommits(session);
    await Promise.all(Array.from({ length: 50 }, (_, i) => insert(`text ${i}`)));
    expect(countCommits(session) - before).toBe(1);
  });

  test('keep to a commit of their own when they arrive one after another', async () => {
    const { insert, session } = scene();
    const before = countCommits(session);
    for (let i = 0; i < 5; i += 1) await insert(`text ${i}`);
    expect(countCommits(session) - before).toBe(5);
  });

  test('are committed alone when the shared commit fails, and only the guilty one fails', async () => {
    const { insert, session, texts } = scene();
    session.connection.exec('CREATE TABLE child (t INTEGER REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED) STRICT');
    const guilty = session.write(() => session.connection.exec('INSERT INTO child VALUES (99)'));
    const writes = [insert('first'), guilty, insert('third')];
    const outcomes = await Promise.allSettled([...writes, insert('fourth')]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(await texts()).toEqual(['first', 'third', 'fourth']);
  });

  test('are committed alone when one of them makes SQLite give the transaction up', async () => {
    const { insert, session, texts } = scene();
    await insert('taken');
    const guilty = session.write(() => session.connection.exec("INSERT OR ROLLBACK INTO t (text) VALUES ('taken')"));
    const outcomes = await Promise.allSettled([insert('first'), guilty, insert('third')]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await texts()).toEqual(['taken', 'first', 'third']);
  });

  test('leave the event loop to others when they take long', async () => {
    const { session } = scene();
    const slow = () => {
      const endsAt = performance.now() + 10;
      while (performance.now() < endsAt);
    };
    let turns = 0;
    const ticking = setInterval(() => {
      turns += 1;
    }, 1);
    await Promise.all(Array.from({ length: 10 }, () => session.write(slow)));
    clearInterval(ticking);
    expect(turns).toBeGreaterThanOrEqual(5);
  });
});

describe('while another program holds the write lock', () => {
  test('a write is answered with 503 within a second and the event loop stays free', async () => {
    const { foreign, insert, texts } = scene();
    await insert('before');
    foreign.exec("BEGIN IMMEDIATE; INSERT INTO t (text) VALUES ('never committed')");
    const startedAt = performance.now();
    const write = insert('refused');
    const pause = longestPauseDuring(write);
    await expect(write).rejects.toMatchObject({ name: 'ApiError', code: 'storage_unavailable' });
    expect(performance.now() - startedAt).toBeLessThan(1000);
    expect(await pause).toBeLessThan(FREE_LOOP_MS);
    foreign.exec('ROLLBACK');
    expect(await texts()).toEqual(['before']);
  });

  test('all of many writes are answered with 503 within a second, and reads go on', async () => {
    const { foreign, insert, texts } = scene();
    await insert('before');
    foreign.exec('BEGIN IMMEDIATE');
    const startedAt = performance.now();
    const outcomes = Promise.allSettled(Array.from({ length: 100 }, (_, i) => insert(`refused ${i}`)));
    expect(await texts()).toEqual(['before']);
    expect(performance.now() - startedAt).toBeLessThan(FREE_LOOP_MS);
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'storage_unavailable' } });
    }
    expect(performance.now() - startedAt).toBeLessThan(1000);
    foreign.exec('ROLLBACK');
  });

  test('a write that comes long after one was given up waits again', async () => {
    const { foreign, insert, texts } = scene();
    foreign.exec('BEGIN IMMEDIATE');
    await expect(insert('given up')).rejects.toMatchObject({ code: 'storage_unavailable' });
    foreign.exec('ROLLBACK');
    await sleep(800);
    foreign.exec('BEGIN IMMEDIATE');
    const write = insert('patient');
    await sleep(100);
    foreign.exec('ROLLBACK');
    await expect(write).resolves.toBe('patient');
    expect(await texts()).toEqual(['patient']);
  });

  test('a write that waits succeeds when the lock goes away', async () => {
    const { foreign, insert, texts } = scene();
    foreign.exec('BEGIN IMMEDIATE');
    const write = insert('patient');
    await sleep(200);
    foreign.exec('ROLLBACK');
    const releasedAt = performance.now();
    await expect(write).resolves.toBe('patient');
    expect(performance.now() - releasedAt).toBeLessThan(FREE_LOOP_MS);
    expect(await texts()).toEqual(['patient']);
  });

  test('writes that wait keep their order, and one asked for after the lock is gone succeeds at once', async () => {
    const { foreign, insert, texts } = scene();
    foreign.exec('BEGIN IMMEDIATE');
    const writes = [insert('first'), insert('second')];
    await sleep(50);
    foreign.exec('ROLLBACK');
    await Promise.all([...writes, insert('third')]);
    expect(await texts()).toEqual(['first', 'second', 'third']);
  });
});

describe('after a failed fsync', () => {
  test.each(['SQLITE_IOERR_FSYNC', 'SQLITE_IOERR_DIR_FSYNC'])(
    'the write is answered with 503, %s is told once, and no write is tried again',
    async (code) => {
      const made = scene();
      const { session, insert, texts } = made;
      await insert('before');
      let tries = 0;
      const fail = () => {
        tries += 1;
        throw new Database.SqliteError('disk I/O error', code);
      };
      const outcomes = await Promise.allSettled([session.write(fail), session.write(fail), insert('after')]);
      for (const outcome of outcomes) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'storage_unavailable' } });
      }
      expect(tries).toBe(1);
      expect(made.outcomesUnknown).toBe(1);
      expect(await texts()).toEqual(['before']);
    },
  );

  test('is not assumed of any other failure', async () => {
    const made = scene();
    const fail = () => {
      throw new Database.SqliteError('disk I/O error', 'SQLITE_IOERR_WRITE');
    };
    await expect(made.session.write(fail)).rejects.toMatchObject({ code: 'storage_unavailable' });
    expect(made.outcomesUnknown).toBe(0);
    await expect(made.insert('after')).resolves.toBe('after');
  });
});

describe('on a full disk', () => {
  /** A database that can't grow until the reserve is given free, and then by some pages. */
  async function fullScene() {
    const { session: first, insert } = scene();
    const { connection } = first;
    const setMaxPages = (pages: number) => connection.pragma(`max_page_count = ${pages}`);
    const pages = Number(connection.pragma('page_count', { simple: true }));
    let isReleased = false;
    const reserve = {
      releases: 0,
      isThereRoomAgain: false,
      release() {
        if (isReleased) return false;
        setMaxPages(pages + 20);
        this.releases += 1;
        isReleased = true;
        return true;
      },
      isReleased() {
        if (this.isThereRoomAgain) isReleased = false;
        return isReleased;
      },
    };
    const session = createSqliteSession(connection, () => undefined, undefined, reserve);
    await insert('before');
    setMaxPages(pages);
    const fill = connection.prepare<[string]>('INSERT INTO t (text) VALUES (?)');
    const large = (name: string) => () => void fill.run(name.repeat(5_000));
    return { session, reserve, large };
  }

  test('a write is refused, and what may use the reserve is written with it, in one group or alone', async () => {
    const { session, reserve, large } = await fullScene();
    const outcomes = await Promise.allSettled([
      session.writeFromReserve(large('a')),
      session.write(large('b')),
      session.collect(large('c')),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    await expect(session.write(() => undefined)).rejects.toMatchObject({ code: 'storage_full' });
    await session.writeFromReserve(large('d'));
    expect(reserve.releases).toBe(1);
  });

  test('what may use the reserve is refused once that is used up too, and all is written when there is room', async () => {
    const { session, reserve, large } = await fullScene();
    const outcomes: string[] = [];
    for (let i = 0; i < 20; i += 1) {
      const [outcome] = await Promise.allSettled([session.collect(large(String.fromCharCode(97 + i)))]);
      outcomes.push(outcome.status);
    }
    expect(outcomes[0]).toBe('fulfilled');
    expect(outcomes.at(-1)).toBe('rejected');
    session.connection.pragma('max_page_count = 1000');
    reserve.isThereRoomAgain = true;
    await session.write(large('z'));
  });
});
