// How a database file is opened: with the settings of this house, read back, and nothing else than a file of ours.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { createDatabaseFile, openConnection } from '../../../src/storage/sqlite/sqlite-connection.ts';
import {
  contentsOf,
  DATABASE_FILE,
  databaseIn,
  directoryWithStore,
  freshDirectory,
  lastingContentsOf,
  openIn,
} from './store-directories.ts';

const SETTINGS = {
  journal_mode: 'wal',
  synchronous: 2,
  foreign_keys: 1,
  secure_delete: 1,
  trusted_schema: 0,
  cell_size_check: 1,
  busy_timeout: 5,
  application_id: 0x534d4752,
};

function settingsOf(connection: Database.Database): unknown {
  return Object.fromEntries(Object.keys(SETTINGS).map((name) => [name, connection.pragma(name, { simple: true })]));
}

describe('an opened connection', () => {
  test('has every setting, and so has a second one beside it and one after them', () => {
    const path = databaseIn(freshDirectory());
    createDatabaseFile(path);
    const first = openConnection(path);
    const second = openConnection(path);
    expect(settingsOf(first)).toEqual(SETTINGS);
    expect(settingsOf(second)).toEqual(SETTINGS);
    first.close();
    second.close();
    const third = openConnection(path);
    expect(settingsOf(third)).toEqual(SETTINGS);
    third.close();
  });

  test('has them on a database that was restored without the write-ahead log', () => {
    const path = databaseIn(freshDirectory());
    createDatabaseFile(path);
    const plain = new Database(path);
    plain.pragma('journal_mode = DELETE');
    plain.close();
    const connection = openConnection(path);
    expect(settingsOf(connection)).toEqual(SETTINGS);
    connection.close();
  });

  test('leaves no copy of what was deleted once it is closed', () => {
    const directory = freshDirectory();
    createDatabaseFile(databaseIn(directory));
    const connection = openConnection(databaseIn(directory));
    connection.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)');
    const insert = connection.prepare('INSERT INTO t (text) VALUES (?)');
    for (let i = 0; i < 200; i += 1) insert.run(`a-deleted-marker-${'x'.repeat(i)}`);
    connection.exec('DELETE FROM t');
    connection.close();
    expect(Object.keys(contentsOf(directory))).toEqual([DATABASE_FILE]);
    expect(readFileSync(databaseIn(directory)).includes('a-deleted-marker')).toBe(false);
  });
});

describe('a new database file', () => {
  test('is a whole database of ours and leaves nothing beside it', () => {
    const directory = freshDirectory();
    createDatabaseFile(databaseIn(directory));
    expect(Object.keys(contentsOf(directory))).toEqual([DATABASE_FILE]);
    const connection = openConnection(databaseIn(directory));
    expect(connection.pragma('quick_check', { simple: true })).toBe('ok');
    connection.close();
  });

  test('is made anew over what an interrupted start left', () => {
    const directory = freshDirectory();
    for (const suffix of ['', '-wal', '-shm', '-journal']) {
      writeFileSync(`${databaseIn(directory)}.new${suffix}`, 'half written');
    }
    createDatabaseFile(databaseIn(directory));
    expect(Object.keys(contentsOf(directory))).toEqual([DATABASE_FILE]);
    openConnection(databaseIn(directory)).close();
  });
});

type Spoil = (path: string) => void;

const rewrite =
  (change: (bytes: Buffer) => void): Spoil =>
  (path) => {
    const bytes = readFileSync(path);
    change(bytes);
    writeFileSync(path, bytes);
  };

const SPOILT: readonly [string, Spoil, string][] = [
  ['an empty file', (path) => truncateSync(path, 0), 'is not a database of Secret Manager'],
  ['a short text', (path) => writeFileSync(path, 'hello\n'), 'it is not a SQLite database'],
  ['a long text', (path) => writeFileSync(path, 'hello\n'.repeat(5000)), 'it is not a SQLite database'],
  ['a zeroed header', rewrite((bytes) => bytes.fill(0, 0, 100)), 'it is not a SQLite database'],
  ['a first page of zeros behind the header', rewrite((bytes) => bytes.fill(0, 100, 4096)), 'it is damaged'],
  ['zeros behind the first page', rewrite((bytes) => bytes.fill(0, 4096)), 'it is damaged'],
  ['half of itself', (path) => truncateSync(path, readFileSync(path).length / 2), 'it is damaged'],
  ['its first page alone', (path) => truncateSync(path, 4096), 'it is damaged'],
  ['half a page', (path) => truncateSync(path, 2000), 'it is damaged'],
  ['its first 50 bytes', (path) => truncateSync(path, 50), 'it is damaged'],
  ['another mark', rewrite((bytes) => bytes.writeUInt32BE(0x534d4753, 68)), 'is not a database of Secret Manager'],
];

describe('a file that is not a whole database of ours', () => {
  test.each(SPOILT)('is refused and left as it is: %s', async (_, spoil, sentence) => {
    const directory = await directoryWithStore();
    spoil(databaseIn(directory));
    expectRefusedUntouched(directory, sentence);
  });

  test.each(['DELETE', 'WAL'])('is refused and left as it is: the database of another program, in %s mode', (mode) => {
    const directory = freshDirectory();
    const foreign = new Database(databaseIn(directory));
    foreign.pragma(`journal_mode = ${mode}`);
    foreign.exec('CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)');
    foreign.close();
    expectRefusedUntouched(directory, 'is not a database of Secret Manager');
  });

  test('is refused and left as it is: the database of another program that crashed', () => {
    const source = freshDirectory();
    const running = new Database(databaseIn(source));
    running.pragma('journal_mode = WAL');
    running.exec('CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)');
    const directory = freshDirectory();
    // By another process: opening the file here would drop the locks of the connection above.
    execFileSync('cp', [databaseIn(source), `${databaseIn(source)}-wal`, directory]);
    running.close();
    expectRefusedUntouched(directory, 'is not a database of Secret Manager');
  });

  test('makes room for a new one when it is moved away, as the sentence says', async () => {
    const directory = freshDirectory();
    const foreign = new Database(databaseIn(directory));
    foreign.pragma('journal_mode = WAL');
    foreign.exec('CREATE TABLE theirs (a)');
    foreign.close();
    expect(() => openIn(directory)).toThrow('move it away');
    renameSync(databaseIn(directory), join(directory, 'theirs.db'));
    await openIn(directory).storage.close();
  });

  test('is refused when it is a directory', () => {
    const directory = freshDirectory();
    mkdirSync(databaseIn(directory));
    expect(() => openIn(directory)).toThrow(expect.objectContaining({ name: 'OperatorError', kind: 'storage' }));
  });

  test('is not created by opening', () => {
    const directory = freshDirectory();
    const sentence = expect.stringContaining('There is no database at');
    const refused = expect.objectContaining({ name: 'OperatorError', kind: 'storage', message: sentence });
    expect(() => openIn(directory, 'existing')).toThrow(refused);
    expect(() => openIn(join(directory, 'missing'), 'existing')).toThrow(refused);
    expect(contentsOf(directory)).toEqual({});
  });

  test('is refused when its write-ahead log is there and itself is gone', () => {
    const directory = freshDirectory();
    writeFileSync(`${databaseIn(directory)}-wal`, 'the only copy of the last commits');
    const before = contentsOf(directory);
    const sentence = expect.stringContaining('is gone but its -wal file is there');
    expect(() => openIn(directory)).toThrow(
      expect.objectContaining({ name: 'OperatorError', kind: 'storage', message: sentence }),
    );
    expect(contentsOf(directory)).toEqual(before);
  });
});

/** In either mode; the sentence names the file. */
function expectRefusedUntouched(directory: string, sentence: string): void {
  const before = contentsOf(directory);
  for (const mode of ['existing', 'migrate'] as const) {
    const refusal = refusalOf(() => openIn(directory, mode));
    expect(refusal).toMatchObject({ name: 'OperatorError', kind: 'storage' });
    expect(refusal.message).toContain(sentence);
    expect(refusal.message).toContain(databaseIn(directory));
    expect(lastingContentsOf(directory)).toEqual(before);
  }
}

function refusalOf(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('this was not refused');
}
