// What the rest of the server understands of SQLite's failures.

import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { isBusy, isOutcomeUnknown, translateSqliteError } from '../../../src/storage/sqlite/sqlite-errors.ts';

function sqliteError(code: string, message = 'text of SQLite'): Error {
  return new Database.SqliteError(message, code);
}

describe("a failure of SQLite's", () => {
  test.each([
    ['SQLITE_FULL', 'storage_full'],
    ['SQLITE_READONLY', 'storage_unavailable'],
    ['SQLITE_READONLY_DBMOVED', 'storage_unavailable'],
    ['SQLITE_IOERR_WRITE', 'storage_unavailable'],
    ['SQLITE_IOERR_FSYNC', 'storage_unavailable'],
    ['SQLITE_CORRUPT', 'storage_unavailable'],
    ['SQLITE_CANTOPEN', 'storage_unavailable'],
    ['SQLITE_BUSY', 'storage_unavailable'],
    ['SQLITE_NOMEM', 'storage_unavailable'],
  ])('%s becomes %s, with a sentence of ours and the failure as its cause', (code, apiCode) => {
    const failure = sqliteError(code);
    const translated = translateSqliteError(failure);
    expect(translated).toMatchObject({ name: 'ApiError', code: apiCode, cause: failure });
    expect((translated as Error).message).not.toContain('text of SQLite');
  });

  test.each([
    ['secret_lists.account_id, secret_lists.name', 'list-name'],
    ['secret_values.account_id, secret_values.secret_key', 'secret-key'],
    ['accounts.name', 'account-name'],
    ['api_keys.token_hash', 'api-key'],
    ['root_keys.fingerprint', 'root-key'],
  ])('a second row for %s becomes "taken already: %s"', (columns, what) => {
    for (const code of ['SQLITE_CONSTRAINT_UNIQUE', 'SQLITE_CONSTRAINT_PRIMARYKEY']) {
      const translated = translateSqliteError(sqliteError(code, `UNIQUE constraint failed: ${columns}`));
      expect(translated).toMatchObject({ name: 'AlreadyTakenError', what });
    }
  });

  test('that a row refers to nothing means that the account is gone', () => {
    const translated = translateSqliteError(sqliteError('SQLITE_CONSTRAINT_FOREIGNKEY'));
    expect(translated).toMatchObject({ name: 'ApiError', code: 'unauthenticated' });
  });

  test('of a constraint that callers cannot meet stays as it is', () => {
    const failures = [
      sqliteError('SQLITE_CONSTRAINT_UNIQUE', 'UNIQUE constraint failed: some.other'),
      sqliteError('SQLITE_CONSTRAINT_CHECK'),
      new RangeError('not of SQLite'),
    ];
    for (const failure of failures) expect(translateSqliteError(failure)).toBe(failure);
    expect(translateSqliteError('a thrown text')).toBe('a thrown text');
  });

  test('is worth another try only when another connection holds the lock', () => {
    for (const code of ['SQLITE_BUSY', 'SQLITE_BUSY_SNAPSHOT', 'SQLITE_BUSY_RECOVERY', 'SQLITE_BUSY_TIMEOUT']) {
      expect(isBusy(sqliteError(code))).toBe(true);
    }
    for (const code of ['SQLITE_LOCKED', 'SQLITE_FULL', 'SQLITE_IOERR']) expect(isBusy(sqliteError(code))).toBe(false);
    expect(isBusy(new Error('SQLITE_BUSY'))).toBe(false);
  });

  test('leaves the outcome unknown only when it was of fsync', () => {
    for (const code of ['SQLITE_IOERR_FSYNC', 'SQLITE_IOERR_DIR_FSYNC']) {
      expect(isOutcomeUnknown(sqliteError(code))).toBe(true);
    }
    for (const code of ['SQLITE_IOERR', 'SQLITE_IOERR_WRITE', 'SQLITE_FULL', 'SQLITE_BUSY']) {
      expect(isOutcomeUnknown(sqliteError(code))).toBe(false);
    }
  });
});
