// Keeps a second server off the same data directory. The lock is SQLite's own on a file of its own: the operating
// system drops it when the process ends, however it ends.

import { join } from 'node:path';
import Database from 'better-sqlite3';
import { OperatorError } from '../../domain/errors.ts';
import { giveToOwnerOf } from '../../files/durable-files.ts';
import { isBusy } from './sqlite-errors.ts';

export interface ServerLock {
  release(): void;
}

/** Throws OperatorError (`storage`) when another process holds it. */
export function acquireServerLock(directory: string): ServerLock {
  const path = join(directory, 'server.lock');
  const connection = new Database(path, { timeout: 0 });
  try {
    connection.pragma('locking_mode = EXCLUSIVE');
    connection.pragma('journal_mode = MEMORY');
    connection.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    connection.close();
    if (!isBusy(error)) throw error;
    throw new OperatorError(
      'storage',
      `Another server is using the data directory ${directory}; stop it, or choose another SECRET_MANAGER_DATA_DIR.`,
    );
  }
  giveToOwnerOf(directory, path);
  return { release: () => connection.close() };
}
