// A store from before keys were counted: what was sealed and wrapped until then is counted from its audit trail.

import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { readMigrations } from '../../../src/storage/migrate.ts';
import { applyMigrations } from '../../../src/storage/sqlite/sqlite-migrations.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const MIGRATIONS = readMigrations(join(import.meta.dirname, '../../../migrations/sqlite'));
const COUNTING = MIGRATIONS.findIndex(({ name }) => name.endsWith('-key-rotation'));

test('seals and wraps of an older store are counted when it is brought to this version', () => {
  const connection = new Database(join(mkdtempSync(join(temporaryDirectory(), 'old-')), 'old.db'));
  applyMigrations(connection, MIGRATIONS.slice(0, COUNTING));
  connection.exec(`
    INSERT INTO root_keys VALUES ('0123456789abcdef', 'then');
    INSERT INTO system_keys VALUES ('api-key-tokens', '0123456789abcdef', x'00', 'then'),
      ('api-key-rows', '0123456789abcdef', x'00', 'then');
    INSERT INTO accounts (id, name, data_key_version, created_at) VALUES (1, 'one', 1, 'then'), (2, 'two', 1, 'then');
    INSERT INTO data_keys VALUES (1, 1, '0123456789abcdef', x'00', 'then'), (2, 1, '0123456789abcdef', x'00', 'then');
  `);
  const record = connection.prepare(
    "INSERT INTO audit_events (occurred_at, actor, account_id, action, outcome) VALUES ('then', 'api-key', ?, ?, ?)",
  );
  for (const action of [
    'account.create',
    'value.create',
    'value.update',
    'value.update',
    'value.delete',
    'value.read',
  ]) {
    record.run(1, action, 'success');
  }
  record.run(1, 'value.create', 'refused');
  for (const action of ['account.create', 'account.create', 'instance.create']) record.run(2, action, 'success');

  applyMigrations(connection, MIGRATIONS);
  expect(connection.prepare('SELECT account_id, version, seals FROM data_keys').raw().all()).toEqual([
    [1, 1, 3],
    [2, 1, 1],
  ]);
  expect(connection.prepare('SELECT fingerprint, wraps, at_hand FROM root_keys').raw().all()).toEqual([
    ['0123456789abcdef', 5, 1],
  ]);
  connection.close();
});
