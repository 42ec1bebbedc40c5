// Puts a new database in the place of the old one. Killed anywhere, the directory has the old one, or the new one, or
// neither and a file that tells an interrupted replacement from a first start. Needs the server's lock.

import { closeSync, existsSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import Database from 'better-sqlite3';
import { OperatorError } from '../../domain/errors.ts';
import { renameDurably } from '../../files/durable-files.ts';
import { databasePath } from './sqlite-connection.ts';
import { isBusy } from './sqlite-errors.ts';

/** The database first: a log without its database is never taken for anything, a database without its log is. */
const PARTS = ['', '-wal', '-shm', '-journal'] as const;
/** A command that is just ending is waited for. */
const BUSY_TIMEOUT_MS = 2_000;

export interface DatabaseReplacement {
  /** Where the new database is to be made. The name alone keeps a server from starting empty. */
  readonly newPath: string;
  /**
   * Moves the old database aside, and the new one, whole and on the disk, into its place. Yields after each step.
   * Throws OperatorError (`refused`) while anybody uses the old one.
   */
  putInPlace(): Generator<string>;
  /** Removes the new one, unless an interrupted replacement has left nothing else. */
  abandon(): void;
}

/** Throws OperatorError (`storage`) when a replacement was interrupted between the old database and the new one. */
export function refuseUnfinishedReplacement(directory: string): void {
  if (!existsSync(directory) || !isReplacementUnfinished(directory)) return;
  throw new OperatorError(
    'storage',
    `A restore into ${directory} was interrupted before the database was in its place; run "secret-manager restore FILE" again.`,
  );
}

function isReplacementUnfinished(directory: string): boolean {
  return !existsSync(databasePath(directory)) && listUnfinished(directory).length > 0;
}

export function beginReplacement(directory: string): DatabaseReplacement {
  const path = databasePath(directory);
  const isResumed = isReplacementUnfinished(directory);
  // What is left of the old database gets the date of the run that moved the rest of it.
  const unfinished = listUnfinished(directory);
  const newPath = (isResumed && unfinished.pop()) || `${path}.restoring-${stamp(new Date())}`;
  const asidePath = newPath.replace('.restoring-', '.replaced-');
  for (const each of unfinished) removeDatabase(each);
  removeSideFiles(newPath);
  closeSync(openSync(newPath, 'w', 0o600));
  let isBegun = false;

  return {
    newPath,

    *putInPlace() {
      const held = holdAlone(path);
      try {
        const left = PARTS.filter((part) => existsSync(path + part));
        const taken = left.find((part) => existsSync(asidePath + part));
        if (taken !== undefined) {
          const message = `There is a file ${asidePath + taken} already; move it away and try again.`;
          throw new OperatorError('storage', message);
        }
        isBegun = true;
        for (const part of left) {
          const isEmptyLog = part === '-wal' && statSync(path + part).size === 0;
          if (isEmptyLog) rmSync(path + part);
          else renameDurably(path + part, asidePath + part);
          // Not sooner: SQLite writes the log back when it closes, but not into a database that was moved.
          held?.close();
          if (!isEmptyLog) yield asidePath + part;
        }
      } finally {
        held?.close();
      }
      renameDurably(newPath, path);
      yield path;
    },

    abandon() {
      if (!isResumed && !isBegun) removeDatabase(newPath);
    },
  };
}

/**
 * Keeps commands off the old database: what one that has it open would write then went into the file that is moved aside.
 * Throws OperatorError (`refused`) when there is one. What nobody can open, nobody uses.
 */
function holdAlone(path: string): Database.Database | undefined {
  // Of an empty one SQLite would delete the log.
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0) return undefined;
  let connection: Database.Database | undefined;
  try {
    connection = new Database(path, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
    connection.pragma('locking_mode = EXCLUSIVE');
    connection.exec('BEGIN EXCLUSIVE');
    connection.pragma('schema_version');
  } catch (error) {
    if (isBusy(error)) {
      connection?.close();
      throw new OperatorError('refused', 'Another command is using the database; wait until it has ended.');
    }
    if (!(error instanceof Database.SqliteError)) throw error;
  }
  return connection;
}

function listUnfinished(directory: string): string[] {
  const prefix = `${basename(databasePath(directory))}.restoring-`;
  return readdirSync(directory)
    .filter((name) => name.startsWith(prefix) && !PARTS.some((part) => part !== '' && name.endsWith(part)))
    .sort()
    .map((name) => join(directory, name));
}

function removeDatabase(path: string): void {
  removeSideFiles(path);
  rmSync(path, { force: true });
}

function removeSideFiles(path: string): void {
  for (const part of PARTS) if (part !== '') rmSync(path + part, { force: true });
}

/** 20261123T090219123Z */
function stamp(now: Date): string {
  return now.toISOString().replace(/[-:.]/g, '');
}
