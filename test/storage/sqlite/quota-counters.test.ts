// The counters that the quotas are held against: right from the migration on, and after any changes whatever.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readMigrations } from '../../../src/storage/migrate.ts';
import { type Connection, createDatabaseFile, openConnection } from '../../../src/storage/sqlite/sqlite-connection.ts';
import { applyMigrations } from '../../../src/storage/sqlite/sqlite-migrations.ts';
import { databaseIn, freshDirectory } from './store-directories.ts';

const MIGRATIONS = readMigrations(`${import.meta.dirname}/../../../migrations/sqlite`);
const ACCOUNTS = [1, 2, 3];
const AT = '2026-01-01T00:00:00.000Z';

function openEmpty(): Connection {
  const path = databaseIn(freshDirectory());
  createDatabaseFile(path);
  return openConnection(path);
}

function addAccounts(connection: Connection): void {
  connection.prepare('INSERT INTO root_keys (fingerprint, created_at) VALUES (?, ?)').run('f', AT);
  for (const id of ACCOUNTS) {
    connection
      .prepare('INSERT INTO accounts (id, name, data_key_version, created_at) VALUES (?, ?, 1, ?)')
      .run(id, `${id}`, AT);
    connection
      .prepare(
        `INSERT INTO data_keys (account_id, version, root_key_fingerprint, wrapped_key, created_at) VALUES (?, 1, ?, ?, ?)`,
      )
      .run(id, 'f', Buffer.alloc(1), AT);
  }
}

let things = 0;

function addList(connection: Connection, account: number): void {
  things += 1;
  connection
    .prepare('INSERT INTO secret_lists (account_id, name, created_at, updated_at) VALUES (?, ?, ?, ?)')
    .run(account, `${things}`, AT, AT);
}

/** In the account's newest list, if it has one. */
function addValue(connection: Connection, account: number): void {
  things += 1;
  connection
    .prepare(
      `INSERT INTO secret_values (account_id, secret_list_id, secret_key, sealed_value, data_key_version, version,
         created_at, updated_at)
       SELECT account_id, max(id), ?, zeroblob(9), 1, 1, ?, ? FROM secret_lists WHERE account_id = ? GROUP BY account_id`,
    )
    .run(`${things}`, AT, AT, account);
}

function addInstance(connection: Connection, account: number): void {
  things += 1;
  connection
    .prepare(
      `INSERT INTO instances (account_id, instance_id, hostname, token_hash, sealed_template, data_key_version, created_at)
       VALUES (?, ?, ?, ?, zeroblob(9), 1, ?)`,
    )
    .run(account, `${things}`, 'h', Buffer.from(`${things}`), AT);
}

function oldest(connection: Connection, table: string, account: number): unknown {
  return connection.prepare(`SELECT min(id) FROM ${table} WHERE account_id = ?`).pluck().get(account);
}

const CHANGES: Readonly<Record<string, (connection: Connection, account: number) => void>> = {
  addList,
  addValue,
  addInstance,
  removeList: (c, account) =>
    void c.prepare('DELETE FROM secret_lists WHERE id = ?').run(oldest(c, 'secret_lists', account)),
  removeValue: (c, account) =>
    void c.prepare('DELETE FROM secret_values WHERE id = ?').run(oldest(c, 'secret_values', account)),
  removeInstance: (c, account) =>
    void c.prepare('DELETE FROM instances WHERE id = ?').run(oldest(c, 'instances', account)),
  forgetInstance: (c, account) =>
    void c.prepare('UPDATE instances SET sealed_template = NULL WHERE id = ?').run(oldest(c, 'instances', account)),
  resealInstance: (c, account) =>
    void c
      .prepare('UPDATE instances SET sealed_template = zeroblob(8) WHERE id = ? AND sealed_template IS NOT NULL')
      .run(oldest(c, 'instances', account)),
  changeValue: (c, account) =>
    void c.prepare('UPDATE secret_values SET version = version + 1 WHERE account_id = ?').run(account),
  removeAccount: (c, account) => void c.prepare('DELETE FROM accounts WHERE id = ?').run(account === 3 ? 3 : 0),
};

function expectRight(connection: Connection): void {
  const counted = connection
    .prepare('SELECT id, list_count, value_count, instance_count FROM accounts ORDER BY id')
    .all();
  const there = connection
    .prepare(
      `SELECT id, (SELECT count(*) FROM secret_lists WHERE account_id = accounts.id) AS list_count,
         (SELECT count(*) FROM secret_values WHERE account_id = accounts.id) AS value_count,
         (SELECT count(*) FROM instances WHERE account_id = accounts.id AND sealed_template IS NOT NULL) AS instance_count
       FROM accounts ORDER BY id`,
    )
    .all();
  expect(counted).toEqual(there);
}

test('a database of the version before is counted when it is migrated', () => {
  const connection = openEmpty();
  const before = MIGRATIONS.slice(
    0,
    MIGRATIONS.findIndex(({ name }) => name.endsWith('-quotas')),
  );
  applyMigrations(connection, before);
  addAccounts(connection);
  for (let i = 0; i < 4; i += 1) addList(connection, 1);
  for (let i = 0; i < 7; i += 1) addValue(connection, 1);
  for (let i = 0; i < 3; i += 1) addInstance(connection, 1);
  connection.prepare('UPDATE instances SET sealed_template = NULL WHERE id = 2').run();
  addList(connection, 2);
  applyMigrations(connection, MIGRATIONS);
  expectRight(connection);
  expect(
    connection.prepare('SELECT list_count, value_count, instance_count FROM accounts WHERE id = 1').raw().get(),
  ).toEqual([4, 7, 2]);
  connection.close();
});

test('whatever is added and removed, alone or by what it belongs to, the counters are right', () => {
  const connection = openEmpty();
  applyMigrations(connection, MIGRATIONS);
  const change = fc.tuple(fc.constantFrom(...Object.keys(CHANGES)), fc.constantFrom(...ACCOUNTS));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      connection.exec('BEGIN');
      addAccounts(connection);
      for (const [name, account] of changes) {
        const isThere = connection.prepare('SELECT 1 FROM accounts WHERE id = ?').get(account) !== undefined;
        if (isThere) CHANGES[name]?.(connection, account);
      }
      expectRight(connection);
      connection.exec('ROLLBACK');
    }),
    { numRuns: 150 },
  );
  connection.close();
});
