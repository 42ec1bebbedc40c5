// How a database comes to this version's schema, and what of it is refused.

import { createHash } from 'node:crypto';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import type { Migration } from '../../../src/storage/migrate.ts';
import { type Connection, createDatabaseFile, openConnection } from '../../../src/storage/sqlite/sqlite-connection.ts';
import { applyMigrations } from '../../../src/storage/sqlite/sqlite-migrations.ts';
import {
  contentsOf,
  databaseIn,
  directoryWithStore,
  freshDirectory,
  lastingContentsOf,
  openIn,
} from './store-directories.ts';

function migration(name: string, sql: string): Migration {
  return { name, sql, sha256: createHash('sha256').update(sql).digest('hex') };
}

const FIRST = migration('0001-first', 'CREATE TABLE first (a) ; INSERT INTO first VALUES (1);');
const SECOND = migration('0002-second', 'CREATE TABLE second (a);');
const BROKEN = migration('0002-broken', 'CREATE TABLE half (a); INSERT INTO first VALUES (2); NONSENSE;');

function emptyDatabase(): Connection {
  const path = databaseIn(freshDirectory());
  createDatabaseFile(path);
  return openConnection(path);
}

function tablesOf(connection: Connection): unknown[] {
  return connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").pluck().all();
}

describe('migrating', () => {
  test('applies what is missing, once, and says what it applied', () => {
    const connection = emptyDatabase();
    expect(applyMigrations(connection, [FIRST])).toEqual(['0001-first']);
    expect(applyMigrations(connection, [FIRST])).toEqual([]);
    expect(applyMigrations(connection, [FIRST, SECOND])).toEqual(['0002-second']);
    expect(connection.prepare('SELECT name, sha256 FROM schema_migrations ORDER BY name').all()).toEqual([
      { name: FIRST.name, sha256: FIRST.sha256 },
      { name: SECOND.name, sha256: SECOND.sha256 },
    ]);
    expect(connection.prepare('SELECT count(*) FROM first').pluck().get()).toBe(1);
    connection.close();
  });

  test('leaves nothing of one that fails, and keeps those before it', () => {
    const connection = emptyDatabase();
    expect(() => applyMigrations(connection, [FIRST, BROKEN])).toThrow();
    expect(tablesOf(connection)).toEqual(['first', 'schema_migrations']);
    expect(connection.prepare('SELECT count(*) FROM first').pluck().get()).toBe(1);
    expect(connection.inTransaction).toBe(false);
    expect(applyMigrations(connection, [FIRST, SECOND])).toEqual(['0002-second']);
    connection.close();
  });

  test('leaves nothing at all when the very first one fails', () => {
    const connection = emptyDatabase();
    expect(() => applyMigrations(connection, [migration('0001-broken', 'CREATE TABLE a (b); NONSENSE')])).toThrow();
    expect(tablesOf(connection)).toEqual([]);
    connection.close();
  });

  test('creates the database where there is none, and the second opening has nothing to do', async () => {
    const directory = freshDirectory();
    const first = openIn(directory);
    expect(first.appliedMigrations).toContain('0001-initial');
    await first.storage.close();
    const second = openIn(directory);
    expect(second.appliedMigrations).toEqual([]);
    await second.storage.close();
    const existing = openIn(directory, 'existing');
    expect(existing.appliedMigrations).toEqual([]);
    await existing.storage.close();
  });

  test('is left to the server: a command refuses an older database', () => {
    const directory = freshDirectory();
    createDatabaseFile(databaseIn(directory));
    const before = contentsOf(directory);
    expect(() => openIn(directory, 'existing')).toThrow(
      expect.objectContaining({ kind: 'storage', message: expect.stringContaining('run "secret-manager migrate"') }),
    );
    expect(lastingContentsOf(directory)).toEqual(before);
  });
});

const HISTORIES: readonly [string, string, string][] = [
  ['newer', "INSERT INTO schema_migrations VALUES ('9999-newer', 'x', 'y')", 'which this version does not know'],
  [
    'changed',
    "UPDATE schema_migrations SET sha256 = 'x' WHERE name = '0001-initial'",
    'is not the one that was applied',
  ],
  [
    'of another line',
    "UPDATE schema_migrations SET name = '0001-other' WHERE name = '0001-initial'",
    'where this version',
  ],
  ['without its history', 'DELETE FROM schema_migrations', ''],
  ['without its table of migrations', 'DROP TABLE schema_migrations', ''],
  ['without a table', 'DROP TABLE audit_events', ''],
];

describe('a database whose schema is not ours', () => {
  test.each(HISTORIES)('is refused in one sentence and left as it is: %s', async (_, sql, sentence) => {
    const directory = await directoryWithStore();
    const connection = openConnection(databaseIn(directory));
    connection.exec(sql);
    connection.close();
    expectRefusedUntouched(directory, sentence);
  });

  test('is left as it is when it was restored without the write-ahead log', async () => {
    const source = await directoryWithStore();
    const connection = openConnection(databaseIn(source));
    connection.exec("INSERT INTO schema_migrations VALUES ('9999-newer', 'x', 'y')");
    const directory = freshDirectory();
    connection.prepare('VACUUM INTO ?').run(databaseIn(directory));
    connection.close();
    expectRefusedUntouched(directory, 'which this version does not know');
  });

  test('is refused in one sentence when another program holds it locked', () => {
    const directory = freshDirectory();
    createDatabaseFile(databaseIn(directory));
    const foreign = new Database(databaseIn(directory));
    foreign.exec('BEGIN IMMEDIATE');
    try {
      expect(() => openIn(directory)).toThrow(expect.objectContaining({ name: 'OperatorError', kind: 'storage' }));
    } finally {
      foreign.close();
    }
  });
});

function expectRefusedUntouched(directory: string, sentence: string): void {
  const before = contentsOf(directory);
  expect(() => openIn(directory)).toThrow(
    expect.objectContaining({
      name: 'OperatorError',
      kind: 'storage',
      message: expect.stringContaining(sentence),
    }),
  );
  expect(lastingContentsOf(directory)).toEqual(before);
}
