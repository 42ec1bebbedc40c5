// The wiring of a store that is served: the lock, the reserve, the database and the head beside it.

import type { Config } from './config.ts';
import { hasRootKeyFile } from './crypto/root-key-providers.ts';
import { OperatorError } from './domain/errors.ts';
import { prepareDataDirectory } from './files/data-directory.ts';
import { type HeadFile, hasHeadFile, openHeadFile } from './files/head-file.ts';
import { openReserveFile, type ReserveFile } from './files/reserve-file.ts';
import { refuseUnfinishedReplacement } from './storage/sqlite/database-replacement.ts';
import { acquireServerLock } from './storage/sqlite/server-lock.ts';
import { hasSqliteDatabase, type OpenedSqliteStorage, openSqliteStorage } from './storage/sqlite/sqlite-storage.ts';
import { NO_NOTICES, type StoreNotices } from './store-notices.ts';

/** Brings the database to this version and returns the names of the migrations that it needed. */
export async function migrateStore(config: Config): Promise<readonly string[]> {
  const { appliedMigrations, release } = openToServe(config, NO_NOTICES);
  await release();
  return appliedMigrations;
}

export interface ServingStorage extends OpenedSqliteStorage {
  readonly head: HeadFile;
  readonly reserve: ReserveFile;
  release(): Promise<void>;
}

/** Opens the store for the one process that may migrate and serve it. */
export function openToServe(
  { dataDirectory: directory, quotas }: Config,
  { onOutcomeUnknown, onHeadFailure, onReserveChange }: StoreNotices,
): ServingStorage {
  prepareDataDirectory(directory);
  const lock = acquireServerLock(directory);
  try {
    refuseLostDatabase(directory);
    const reserve = openReserveFile(directory, onReserveChange);
    const opened = openSqliteStorage({ directory, mode: 'migrate', quotas, onOutcomeUnknown, reserve });
    const head = openHeadFile(directory, onHeadFailure);
    return {
      ...opened,
      head,
      reserve,
      async release() {
        await opened.storage.close();
        await head.close();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** A root key or a head without its database is a lost volume or file, not a first start. */
function refuseLostDatabase(directory: string): void {
  refuseUnfinishedReplacement(directory);
  if (hasSqliteDatabase(directory)) return;
  const [what, file] = hasRootKeyFile(directory) ? ['root key', 'root.key'] : ['file head', 'head'];
  if (!hasRootKeyFile(directory) && !hasHeadFile(directory)) return;
  throw new OperatorError(
    'storage',
    `The data directory ${directory} has a ${what} but no database; restore the database, or move ${file} away to start empty.`,
  );
}
