// The storage on SQLite: one file in the data directory, one connection, all statements prepared at the start.

import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ApiError, OperatorError } from '../../domain/errors.ts';
import { DEFAULT_QUOTAS, type Quotas } from '../../domain/limits.ts';
import type { Migration } from '../migrate.ts';
import type { Storage } from '../storage.ts';
import { prepareRequireRoom } from './account-quotas.ts';
import { createAccountsRepository, prepareInsertAccount } from './accounts-repository.ts';
import { createApiKeysRepository, prepareInsertApiKey } from './api-keys-repository.ts';
import { createAuditRepository, prepareAuditWriter } from './audit-repository.ts';
import { createDataKeysRepository } from './data-keys-repository.ts';
import { createInstancesRepository } from './instances-repository.ts';
import { prepareKeyUse } from './key-use.ts';
import { createKeysRepository } from './keys-repository.ts';
import { createListsRepository, prepareFindList } from './lists-repository.ts';
import { createProvenSession } from './proven-session.ts';
import { createRevisionsRepository } from './revisions-repository.ts';
import { createRootKeysRepository } from './root-keys-repository.ts';
import {
  type Connection,
  createDatabaseFile,
  databasePath,
  inspectDatabase,
  openConnection,
  withOpeningErrors,
} from './sqlite-connection.ts';
import { applyMigrations, availableMigrations, findPendingMigrations } from './sqlite-migrations.ts';
import { createSqliteSession, type SpaceReserve } from './sqlite-session.ts';
import { createValuesRepository } from './values-repository.ts';

export interface SqliteStorageOptions {
  readonly directory: string;
  /** `migrate` creates the database where there is none and brings it up to date; `existing` refuses both. */
  readonly mode: 'migrate' | 'existing';
  /** What each account may hold; the defaults when absent. */
  readonly quotas?: Quotas;
  /** Called once after a failed fsync: the process must end, since nobody knows what is on the disk. */
  readonly onOutcomeUnknown: () => void;
  /** What reads of values can still be audited with on a full disk; none when absent. */
  readonly reserve?: SpaceReserve;
}

export interface OpenedSqliteStorage {
  readonly storage: Storage;
  /** The migrations that this opening applied. */
  readonly appliedMigrations: readonly string[];
}

export function hasSqliteDatabase(directory: string): boolean {
  return existsSync(databasePath(directory));
}

/** Throws OperatorError (`storage`) with one sentence when the database can't be used; what it can't use is untouched. */
export function openSqliteStorage(options: SqliteStorageOptions): OpenedSqliteStorage {
  const path = databasePath(options.directory);
  const migrations = availableMigrations();
  return withOpeningErrors(path, () => {
    if (options.mode === 'migrate' && !existsSync(path)) createMissing(path);
    inspectDatabase(path, (inspected) => checkSchema(inspected, options.mode, migrations));
    const connection = openConnection(path);
    try {
      const appliedMigrations = applyMigrations(connection, migrations);
      return { storage: assemble(connection, options), appliedMigrations };
    } catch (error) {
      connection.close();
      throw error;
    }
  });
}

function checkSchema(connection: Connection, mode: SqliteStorageOptions['mode'], migrations: Migration[]): void {
  const pending = findPendingMigrations(connection, migrations);
  if (mode === 'migrate' || pending.length === 0) return;
  throw new OperatorError('storage', 'The database is of an older version; run "secret-manager migrate" first.');
}

function createMissing(path: string): void {
  // An empty one is what looking at another program's file leaves behind.
  if ((statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) {
    throw new OperatorError(
      'storage',
      `The database ${path} is gone but its -wal file is there; restore the database beside it, or move the -wal file away.`,
    );
  }
  createDatabaseFile(path);
}

function assemble(connection: Connection, options: SqliteStorageOptions): Storage {
  const audit = prepareAuditWriter(connection);
  const session = createProvenSession(
    createSqliteSession(connection, options.onOutcomeUnknown, audit, options.reserve),
  );
  const findList = prepareFindList(session);
  const requireRoom = prepareRequireRoom(session, options.quotas ?? DEFAULT_QUOTAS);
  const keyUse = prepareKeyUse(session);
  const insertAccount = prepareInsertAccount(session, keyUse, audit);
  const insertApiKey = prepareInsertApiKey(session, audit);

  return {
    lists: createListsRepository(session, findList, requireRoom, audit),
    values: createValuesRepository(session, findList, requireRoom, keyUse, audit),
    accounts: createAccountsRepository(session, insertAccount, audit),
    apiKeys: createApiKeysRepository(session, insertApiKey, audit),
    keys: createKeysRepository(session, insertAccount, insertApiKey, keyUse, audit),
    rotation: {
      ...createRootKeysRepository(session, keyUse, audit),
      ...createDataKeysRepository(session, keyUse, audit),
    },
    instances: createInstancesRepository(session, requireRoom, keyUse, audit),
    audit: createAuditRepository(session, audit),
    revisions: createRevisionsRepository(session),

    async checkWritable() {
      try {
        accessSync(dirname(connection.name), constants.W_OK);
      } catch (error) {
        throw new ApiError('storage_unavailable', { cause: error });
      }
      await session.proveWritable();
    },

    async close() {
      await session.settled();
      connection.close();
    },
  };
}
