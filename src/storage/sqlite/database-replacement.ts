// Puts a new database in the place of the old one. Killed anywhere, the directory has the old one, or the new one, or
// neither and a file that tells an interrupted replacement from a first start. Needs the server's lock.

import { closeSync, existsSync, openSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { OperatorError } from '../../domain/errors.ts';
import { renameDurably } from '../../files/durable-files.ts';
import { databasePath } from './sqlite-connection.ts';

/** The database first: a log without its database is never taken for anything, a database without its log is. */
const PARTS = ['', '-wal', '-shm', '-journal'] as const;

export interface DatabaseReplacement {
  /** Where the new database is to be made. The name alone keeps a server from starting empty. */
  readonly newPath: string;
  /** Moves the old database aside, and the new one, whole and on the disk, into its place. Yields after each step. */
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
      const left = PARTS.filter((part) => existsSync(path + part));
      const taken = left.find((part) => existsSync(asidePath + part));
      if (taken !== undefined) {
        throw new OperatorError('storage', `There is a file ${asidePath + taken} already; move it away and try again.`);
      }
      isBegun = true;
      for (const part of left) {
        renameDurably(path + part, asidePath + part);
        yield asidePath + part;
      }
      renameDurably(newPath, path);
      yield path;
    },

    abandon() {
      if (!isResumed && !isBegun) removeDatabase(newPath);
    },
  };
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
