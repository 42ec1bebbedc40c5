// Turns what SQLite says into what the rest of the server understands.

import Database from 'better-sqlite3';
import { AlreadyTakenError, ApiError, type UniqueThing } from '../../domain/errors.ts';

const UNIQUE_COLUMNS: Readonly<Record<string, UniqueThing>> = {
  'secret_lists.account_id, secret_lists.name': 'list-name',
  'secret_values.account_id, secret_values.secret_key': 'secret-key',
  'accounts.name': 'account-name',
  'instances.account_id, instances.instance_id': 'instance-id',
  'api_keys.token_hash': 'api-key',
  'root_keys.fingerprint': 'root-key',
  'system_keys.purpose': 'root-key',
};

const UNIQUE_MESSAGE = /^UNIQUE constraint failed: (.+)$/;

function codeOf(error: unknown): string {
  return error instanceof Database.SqliteError ? error.code : '';
}

/** Another connection holds the lock: worth another try. */
export function isBusy(error: unknown): boolean {
  return codeOf(error).startsWith('SQLITE_BUSY');
}

/** The disk has no room for it. */
export function isFull(error: unknown): boolean {
  return codeOf(error) === 'SQLITE_FULL';
}

/** After a failed fsync nobody knows what is on the disk, and SQLite would go on acknowledging: the process must end. */
export function isOutcomeUnknown(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'SQLITE_IOERR_FSYNC' || code === 'SQLITE_IOERR_DIR_FSYNC';
}

/** The domain's error for one of SQLite's; any other error is returned as it is. */
export function translateSqliteError(error: unknown): unknown {
  const code = codeOf(error);
  if (code === '') return error;
  if (code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY') {
    const columns = UNIQUE_MESSAGE.exec((error as Error).message)?.[1] ?? '';
    const what = UNIQUE_COLUMNS[columns];
    return what === undefined ? error : new AlreadyTakenError(what, { cause: error });
  }
  // The account was deleted while the request was on its way, and its keys with it.
  if (code === 'SQLITE_CONSTRAINT_FOREIGNKEY') return new ApiError('unauthenticated');
  if (code.startsWith('SQLITE_CONSTRAINT')) return error;
  if (code === 'SQLITE_FULL') return new ApiError('storage_full', { cause: error });
  return new ApiError('storage_unavailable', { cause: error });
}
