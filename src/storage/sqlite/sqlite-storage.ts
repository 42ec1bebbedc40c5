// The storage on SQLite: one file in the data directory, one connection, all statements prepared at the start.

import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ApiError, OperatorError } from '../../domain/errors.ts';
import { type Migration, readMigrations } from '../migrate.ts';
import type { Storage } from '../storage.ts';
import { createAccountsRepository, prepareInsertAccount } from './accounts-repository.ts';
import { createApiKeysRepository, prepareInsertApiKey } from './api-keys-repository.ts';
import { createAuditRepository, prepareAuditWriter } from './audit-repository.ts';
import { createInstancesRepository } from './instances-repository.ts';
import { createKeysRepository } from './keys-repository.ts';
import { createListsRepository, prepareFindList } from './lists-repository.ts';
import { createProvenSession } from './proven-session.ts';
import {
  type Connection,
  createDatabaseFile,
  inspectDatabase,
  openConnection,
  withOpeningErrors,
} from './sqlite-connection.ts';
import { applyMigrations, findPendingMigrations } from './sqlite-migrations.ts';
import { createSqliteSession } from './sqlite-session.ts';
import { createValuesRepository } from './values-repository.ts';

const DATABASE_FILE = 'secret-manager.db';
const MIGRATIONS_DIRECTORY = join(import.meta.dirname, '../../../migrations/sqlite');

export interface SqliteStorageOptions {
  readonly directory: string;
  /** `migrate` creates the database where there is none and brings it up to date; `existing` refuses both. */
  readonly mode: 'migrate' | 'existing';
  /** Called once after a failed fsync: the process must end, since nobody knows what is on the disk. */
  readonly onOutcomeUnknown: () => void;
}

export interface OpenedSqliteStorage {
  readonly storage: Storage;
  /** The migrations that this opening applied. */
  readonly appliedMigrations: readonly string[];
}

export function hasSqliteDatabase(directory: string): boolean {
  return existsSync(join(directory, DATABASE_FILE));
}

/** Throws OperatorError (`storage`) with one sentence when the database can't be used; what it can't use is untouched. */
export function openSqliteStorage(options: SqliteStorageOptions): OpenedSqliteStorage {
  const path = join(options.directory, DATABASE_FILE);
  const migrations = readMigrations(MIGRATIONS_DIRECTORY);
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
  const session = createProvenSession(createSqliteSession(connection, options.onOutcomeUnknown));
  const findList = prepareFindList(session);
  const audit = prepareAuditWriter(session);
  const insertAccount = prepareInsertAccount(session, audit);
  const insertApiKey = prepareInsertApiKey(session, audit);

  return {
    lists: createListsRepository(session, findList, audit),
    values: createValuesRepository(session, findList, audit),
    accounts: createAccountsRepository(session, insertAccount, audit),
    apiKeys: createApiKeysRepository(session, insertApiKey, audit),
    keys: createKeysRepository(session, insertAccount, insertApiKey),
    instances: createInstancesRepository(session, audit),
    audit: createAuditRepository(session, audit),

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
