// Keeps a second server off the same data directory, and a second command off its keys. The lock is SQLite's own on a
// file of its own: the operating system drops it when the process ends, however it ends.

import { join } from 'node:path';
import Database from 'better-sqlite3';
import { OperatorError } from '../../domain/errors.ts';
import { giveToOwnerOf } from '../../files/durable-files.ts';
import { withOpeningErrors } from './sqlite-connection.ts';
import { isBusy } from './sqlite-errors.ts';

export interface ServerLock {
  release(): void;
}

/** Throws OperatorError (`storage`) when another process holds it. */
export function acquireServerLock(directory: string): ServerLock {
  const lock = tryServerLock(directory);
  if (lock !== undefined) return lock;
  throw new OperatorError(
    'storage',
    `Another server is using the data directory ${directory}; stop it, or choose another SECRET_MANAGER_DATA_DIR.`,
  );
}

/** The same, or undefined when a server holds it. */
export function tryServerLock(directory: string): ServerLock | undefined {
  return tryLock(directory, 'server.lock');
}

/** Held while a command changes root keys or data keys. Throws OperatorError (`refused`) when another one does. */
export function acquireKeysLock(directory: string): ServerLock {
  const lock = withOpeningErrors(join(directory, 'keys.lock'), () => tryLock(directory, 'keys.lock'));
  if (lock !== undefined) return lock;
  throw new OperatorError('refused', 'Another command is changing keys at this moment; wait until it has ended.');
}

function tryLock(directory: string, name: string): ServerLock | undefined {
  const path = join(directory, name);
  const connection = new Database(path, { timeout: 0 });
  try {
    connection.pragma('locking_mode = EXCLUSIVE');
    connection.pragma('journal_mode = MEMORY');
    connection.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    connection.close();
    if (!isBusy(error)) throw error;
    return undefined;
  }
  giveToOwnerOf(directory, path);
  return { release: () => connection.close() };
}
