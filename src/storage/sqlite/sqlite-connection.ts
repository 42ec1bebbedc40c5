// Opens the database file, and refuses everything that isn't one of ours before anything is written.

import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { OperatorError } from '../../domain/errors.ts';
import { renameDurably } from '../../files/durable-files.ts';

export type Connection = Database.Database;

const DATABASE_FILE = 'secret-manager.db';
/** 'SMGR': marks a file as ours. */
const APPLICATION_ID = 0x534d4752;
/** 3.51.3 mended the WAL-reset corruption. */
const OLDEST_SQLITE = [3, 51, 3] as const;
/** SQLite blocks the event loop for as long as it waits; the writer waits between its tries instead. */
const BUSY_TIMEOUT_MS = 5;
/** While a database is opened nobody waits for this process: a command before may still be writing its log back. */
const OPENING_TIMEOUT_MS = 2_000;

// In the order they are set; better-sqlite3's build lowers `synchronous` when it enters WAL, so it comes after.
const PRAGMAS = [
  { name: 'journal_mode', value: 'WAL', reads: 'wal' },
  { name: 'synchronous', value: 'FULL', reads: 2 },
  { name: 'foreign_keys', value: 'ON', reads: 1 },
  { name: 'secure_delete', value: 'ON', reads: 1 },
  { name: 'trusted_schema', value: 'OFF', reads: 0 },
  { name: 'cell_size_check', value: 'ON', reads: 1 },
  { name: 'busy_timeout', value: BUSY_TIMEOUT_MS, reads: BUSY_TIMEOUT_MS },
] as const;

export function databasePath(directory: string): string {
  return join(directory, DATABASE_FILE);
}

/** Makes an empty database of ours; the file has its name only once it is whole and on the disk. */
export function createDatabaseFile(path: string): void {
  const unfinished = `${path}.new`;
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(unfinished + suffix, { force: true });
  const connection = new Database(unfinished);
  try {
    connection.pragma(`application_id = ${APPLICATION_ID}`);
    connection.pragma('journal_mode = WAL');
  } finally {
    connection.close();
  }
  renameDurably(unfinished, path);
}

/**
 * Looks at an existing database without changing it or the files beside it.
 * Throws OperatorError (`storage`) for a file that is missing, damaged or not ours, and whatever `look` throws.
 */
export function inspectDatabase(path: string, look: (connection: Connection) => void): void {
  if (!existsSync(path)) {
    throw new OperatorError(
      'storage',
      `There is no database at ${path}; check SECRET_MANAGER_DATA_DIR, or run "secret-manager serve" once to create it.`,
    );
  }
  const connection = openReadOnly(path, OPENING_TIMEOUT_MS);
  try {
    refuseForeignFile(connection, path);
    look(connection);
  } finally {
    connection.close();
  }
}

/** Opens an existing file that may be anybody's, to read. `isOurs` tells whose it is. */
export function openReadOnly(path: string, busyTimeoutMs: number): Connection {
  const connection = new Database(path, { readonly: true, fileMustExist: true, timeout: busyTimeoutMs });
  try {
    refuseOldSqlite(connection);
    connection.pragma('trusted_schema = OFF');
    connection.pragma('cell_size_check = ON');
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** True for a database that this program made. */
export function isOurs(connection: Connection): boolean {
  return connection.pragma('application_id', { simple: true }) === APPLICATION_ID;
}

/** Opens an existing database with this house's settings, each read back. Inspect it first. */
export function openConnection(path: string): Connection {
  const connection = new Database(path, { fileMustExist: true, timeout: OPENING_TIMEOUT_MS });
  try {
    for (const pragma of PRAGMAS) applyPragma(connection, pragma);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Runs what opens a database; a failure of SQLite's becomes an OperatorError (`storage`) that says what to do. */
export function withOpeningErrors<T>(path: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof Database.SqliteError)) throw error;
    const message = `The database at ${path} cannot be opened: ${adviceFor(error)}`;
    throw new OperatorError('storage', message, { cause: error });
  }
}

function refuseOldSqlite(connection: Connection): void {
  const version = String(connection.prepare('SELECT sqlite_version()').pluck().get());
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  const [needMajor, needMinor, needPatch] = OLDEST_SQLITE;
  const isNewEnough = (major - needMajor || minor - needMinor || patch - needPatch) >= 0;
  if (!isNewEnough) {
    throw new OperatorError('storage', `SQLite ${version} can corrupt a database; install better-sqlite3 13 or newer.`);
  }
}

function refuseForeignFile(connection: Connection, path: string): void {
  if (isOurs(connection)) return;
  throw new OperatorError(
    'storage',
    `The file ${path} is not a database of Secret Manager; move it away or choose another SECRET_MANAGER_DATA_DIR.`,
  );
}

function applyPragma(connection: Connection, { name, value, reads }: (typeof PRAGMAS)[number]): void {
  connection.pragma(`${name} = ${value}`);
  const effective = connection.pragma(name, { simple: true });
  if (effective !== reads) {
    throw new OperatorError(
      'storage',
      `SQLite keeps ${name} at ${effective} instead of ${value}; it cannot be trusted here.`,
    );
  }
}

function adviceFor({ code, message }: InstanceType<typeof Database.SqliteError>): string {
  if (code === 'SQLITE_NOTADB') return 'it is not a SQLite database; restore it from a backup.';
  if (code.startsWith('SQLITE_CORRUPT')) return 'it is damaged; restore it from a backup.';
  if (code.startsWith('SQLITE_BUSY')) return 'another program holds it locked; stop that program.';
  if (code.startsWith('SQLITE_IOERR')) return `the disk fails (${code}); see "dmesg", and mend or move it.`;
  if (code.startsWith('SQLITE_FULL')) return 'the disk is full; make room and start again.';
  if (code.startsWith('SQLITE_READONLY') || code.startsWith('SQLITE_CANTOPEN')) {
    return 'its directory or the file cannot be written to; check owner, mode and mount.';
  }
  return `its tables are not those of this program (${message}); restore it from a backup.`;
}
