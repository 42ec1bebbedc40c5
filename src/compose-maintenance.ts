// The wiring of what keeps a store safe: backup, restore, doctor. None of them needs a server.

import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { sourceOf, takeUpStore } from './compose-keys.ts';
import type { Config } from './config.ts';
import { hasRootKeyFile, provideRootKeys } from './crypto/root-key-providers.ts';
import type { RootKeys } from './crypto/root-keys.ts';
import { type Check, type CheckResult, type Finding, fine, formatBytes, type Tell, wrong } from './domain/checks.ts';
import { ApiError, OperatorError } from './domain/errors.ts';
import { prepareDataDirectory } from './files/data-directory.ts';
import { dataDirectoryChecks } from './files/data-directory-checks.ts';
import { giveToOwnerOf, syncFile } from './files/durable-files.ts';
import { openHeadFile, readHeadFile } from './files/head-file.ts';
import { examine } from './services/examination.ts';
import { unwrapKey } from './services/keyring.ts';
import { checkWrappedKeys, sealChecks, type Unwrap } from './services/seal-checks.ts';
import { trailChecks } from './services/trail-checks.ts';
import { type Backup, writeBackup } from './storage/sqlite/backup-file.ts';
import type { DatabaseSummary } from './storage/sqlite/checked-copy.ts';
import { databaseChecks, openToInspect } from './storage/sqlite/database-checks.ts';
import { copyDatabase, summariseFile, withFileErrors } from './storage/sqlite/database-copy.ts';
import { beginReplacement } from './storage/sqlite/database-replacement.ts';
import { acquireKeysLock, acquireServerLock } from './storage/sqlite/server-lock.ts';
import {
  type Connection,
  databasePath,
  openConnection,
  withOpeningErrors,
} from './storage/sqlite/sqlite-connection.ts';
import { createSqliteInspection } from './storage/sqlite/sqlite-inspection.ts';
import { applyMigrations, availableMigrations } from './storage/sqlite/sqlite-migrations.ts';
import { hasSqliteDatabase, openSqliteStorage } from './storage/sqlite/sqlite-storage.ts';
import { NO_NOTICES } from './store-notices.ts';

export type { Backup } from './storage/sqlite/backup-file.ts';

export function backUpStore(config: Config, file: string, tell: Tell): Promise<Backup> {
  return writeBackup(config.dataDirectory, resolve(file), (bytes) => tell(`copied ${formatBytes(bytes)}`));
}

export interface Restored extends DatabaseSummary {
  /** Absolute. */
  readonly file: string;
  readonly dataDirectory: string;
  /** The files of the database that was there, under their new names. */
  readonly movedAside: readonly string[];
}

export interface RestoreOptions {
  /** Whether a database that is there may be moved aside. */
  readonly isReplacing: boolean;
  readonly tell: Tell;
}

/**
 * Throws OperatorError with one sentence when the backup can't take the place; the directory is then as it was. Killed, or
 * stopped by the disk, before the audit trail goes on, it leaves a store that no server starts with; to be run again.
 */
export async function restoreStore(config: Config, name: string, options: RestoreOptions): Promise<Restored> {
  const directory = config.dataDirectory;
  const file = resolve(name);
  if (!withFileErrors(dirname(file), () => isFile(file)))
    throw new OperatorError('refused', `There is no file ${file}; name a backup that exists.`);
  const { rootKeyFingerprints } = summariseFile(file, file);
  if (rootKeyFingerprints.length === 0)
    throw new OperatorError('refused', `${file} holds no keys; use another backup.`);
  prepareDataDirectory(directory);
  const lock = acquireServerLock(directory);
  try {
    if (hasSqliteDatabase(directory) && !options.isReplacing) {
      throw new OperatorError(
        'refused',
        `There is a database in ${directory} already; add --replace to move it aside and put the backup in its place.`,
      );
    }
    const keysLock = acquireKeysLock(directory);
    try {
      return await replaceBy(file, config, rootKeyFingerprints, options.tell);
    } finally {
      keysLock.release();
    }
  } finally {
    lock.release();
  }
}

async function replaceBy(file: string, config: Config, fingerprints: readonly string[], tell: Tell): Promise<Restored> {
  const directory = config.dataDirectory;
  // Once: keys from the configuration are gone when they were taken.
  const { rootKeys } = provideRootKeys({ ...sourceOf(config), storedFingerprints: fingerprints });
  const replacement = withFileErrors(directory, () => beginReplacement(directory));
  const { newPath, abandon } = replacement;
  process.once('exit', abandon);
  try {
    const order = { source: file, sourceName: file, target: newPath, isSourceChecked: true };
    const summary = await copyDatabase(order, (bytes) => tell(`copied ${formatBytes(bytes)}`));
    await requireOpening(newPath, file, unwrapBy(rootKeys));
    bringUpToDate(newPath);
    const names = withFileErrors(directory, () => {
      giveToOwnerOf(directory, newPath);
      syncFile(newPath);
      return [...replacement.putInPlace()];
    });
    await goOnWithTrail(directory, rootKeys);
    return { ...summary, file, dataDirectory: directory, movedAside: names.slice(0, -1) };
  } finally {
    process.removeListener('exit', abandon);
    abandon();
  }
}

/** As it will be served, and with nothing beside it once it is closed. */
function bringUpToDate(path: string): void {
  withOpeningErrors(path, () => {
    const connection = openConnection(path);
    try {
      applyMigrations(connection, availableMigrations());
    } finally {
      connection.close();
    }
  });
}

/** What came after the backup is lost, and that is wanted: the audit trail says so, and the head ends where it does. */
async function goOnWithTrail(directory: string, rootKeys: RootKeys): Promise<void> {
  const { onOutcomeUnknown, onHeadFailure, onTailMissing } = NO_NOTICES;
  const { storage } = openSqliteStorage({ directory, mode: 'existing', onOutcomeUnknown });
  const head = openHeadFile(directory, onHeadFailure);
  try {
    await takeUpStore({ ...storage, rootKeys, head, onTailMissing }, storage, true);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const message = `The backup is in its place, but ${databasePath(directory)} can't be written; see to its disk and restore again.`;
    throw new OperatorError('storage', message, { cause: error });
  } finally {
    await storage.close();
    await head.close();
  }
}

async function requireOpening(path: string, file: string, unwrap: Unwrap): Promise<void> {
  const inspection = createSqliteInspection(openToInspect(path));
  try {
    const { isFine } = await checkWrappedKeys(inspection, unwrap);
    if (isFine) return;
    throw new OperatorError(
      'root-key',
      `The keys in ${file} do not open, though it names this root key: it was changed or damaged; use an older backup.`,
    );
  } finally {
    inspection.close();
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function provideUnwrap(config: Config, storedFingerprints: readonly string[]): Unwrap {
  return unwrapBy(provideRootKeys({ ...sourceOf(config), storedFingerprints }).rootKeys);
}

function unwrapBy(rootKeys: RootKeys): Unwrap {
  return (key, purpose) => unwrapKey(rootKeys, key, purpose);
}

/** Looks at everything and changes nothing, beside a running server or without one. */
export async function examineStore(config: Config, tell: Tell): Promise<CheckResult[]> {
  const opened = openOnDemand(config);
  try {
    return await examine(checksOf(config, opened), tell);
  } finally {
    opened.close();
  }
}

/** All that doctor checks, in the order in which it is told. */
function checksOf(config: Config, opened: OpenedOnDemand): Check[] {
  const directory = config.dataDirectory;
  return [
    ...dataDirectoryChecks(directory),
    ...databaseChecks(databasePath(directory), opened.connection),
    { name: 'root key', needs: ['schema'], run: () => checkRootKey(config, opened) },
    ...sealChecks(opened.inspection, opened.unwrap, ['root key']),
    ...trailChecks(opened.inspection, opened.unwrap, { read: () => readHeadFile(directory) }, ['root key']),
  ];
}

async function checkRootKey(config: Config, opened: OpenedOnDemand): Promise<Finding> {
  const fingerprints = await opened.inspection().listRootKeyFingerprints();
  if (fingerprints.length === 0) throw notInitialised();
  const isConfigured = config.rootKeys !== undefined;
  // Providing it could give a key that waits in the directory its lasting name.
  if (!isConfigured && !hasRootKeyFile(config.dataDirectory)) {
    return wrong(`The data needs the root key ${fingerprints.join(' or ')}, and there is none; put it back.`);
  }
  opened.provideUnwrap(fingerprints);
  return fine(`${fingerprints.join(' and ')}, from ${isConfigured ? 'the configuration' : 'root.key'}`);
}

type OpenedOnDemand = ReturnType<typeof openOnDemand>;

/** One connection and one root key for all checks; what can't be had is the finding of the first that asks. */
function openOnDemand(config: Config) {
  let opened: Connection | undefined;
  let unwrap: Unwrap | undefined;
  const connection = (): Connection => {
    opened ??= openToInspect(databasePath(config.dataDirectory));
    return opened;
  };
  return {
    connection,
    inspection: () => createSqliteInspection(connection()),
    provideUnwrap(fingerprints: readonly string[]) {
      unwrap = provideUnwrap(config, fingerprints);
    },
    unwrap(): Unwrap {
      if (unwrap === undefined) throw notInitialised();
      return unwrap;
    },
    close: () => void opened?.close(),
  };
}

function notInitialised(): OperatorError {
  return new OperatorError('storage', 'The database is empty; run "secret-manager serve" once to initialise it.');
}
