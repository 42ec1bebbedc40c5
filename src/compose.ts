// The only wiring: configuration -> store, keys, services -> app.

import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Config } from './config.ts';
import { SealBrokenError } from './crypto/envelope.ts';
import type { RootKey } from './crypto/root-key.ts';
import { hasRootKeyFile, provideRootKey } from './crypto/root-key-providers.ts';
import { OperatorError } from './domain/errors.ts';
import { prepareDataDirectory } from './files/data-directory.ts';
import { type HeadFile, hasHeadFile, openHeadFile } from './files/head-file.ts';
import { openReserveFile, type ReserveFile } from './files/reserve-file.ts';
import type { App } from './http/app-types.ts';
import type { Logger } from './logger.ts';
import { type AccountsService, createAccountsService } from './services/accounts-service.ts';
import { type ApiKeysService, createApiKeysService } from './services/api-keys-service.ts';
import { startPruning } from './services/audit-retention.ts';
import { continueTrail, findChain, type StartedTrail } from './services/audit-start.ts';
import { type AuditTrailService, createAuditTrailService } from './services/audit-trail-service.ts';
import { createAuthenticationService } from './services/authentication-service.ts';
import { initialiseStore } from './services/first-start.ts';
import { createInstancesService } from './services/instances-service.ts';
import { createKeyring, type Keyring } from './services/keyring.ts';
import { createListsService } from './services/lists-service.ts';
import { createReadAudit } from './services/read-audit.ts';
import { createRefusalsService } from './services/refusals-service.ts';
import { createRenderingService } from './services/rendering-service.ts';
import { createSeedsService } from './services/seeds-service.ts';
import { createUserDataService } from './services/user-data-service.ts';
import { createValuesService } from './services/values-service.ts';
import { acquireServerLock } from './storage/sqlite/server-lock.ts';
import { hasSqliteDatabase, type OpenedSqliteStorage, openSqliteStorage } from './storage/sqlite/sqlite-storage.ts';
import type { Storage } from './storage/storage.ts';
import { NO_NOTICES, type StoreNotices, storeNotices, tellStart } from './store-notices.ts';

/** This program's version, as package.json has it. */
export const VERSION: string = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')).version;

export interface Server {
  readonly app: App;
  /** The token of the first API key, on the very first start alone. */
  readonly firstToken: string | undefined;
  /** From now on new requests are answered with 503. */
  beginStopping(): void;
  /** Resolves when requests in flight are answered and everything is on the disk. */
  close(): Promise<void>;
}

/**
 * `onOutcomeUnknown` is called after a failed fsync: the process must end with an error. `acceptRollback` goes on with a
 * store that lost what it had.
 */
export async function composeServer(
  config: Config,
  logger: Logger,
  onOutcomeUnknown: () => void,
  { acceptRollback = false }: { readonly acceptRollback?: boolean } = {},
): Promise<Server> {
  const notices = storeNotices(logger, onOutcomeUnknown);
  const opened = openToServe(config, notices);
  const { storage, release } = opened;
  try {
    const { keyring, firstToken, chain, accepted } = await prepareKeys(config, opened, notices, acceptRollback);
    tellStart(logger, { accepted, acceptRollback, hasReserve: opened.reserve.hold() });
    const audit = createAuditTrailService({ ...storage, chain, head: opened.head });
    const stopPruning = startPruning(audit, config.auditRetentionDays, notices.onPruningFailure);
    const refusals = createRefusalsService(storage.audit, (error) =>
      logger.error({ err: error }, 'audit events of refused requests could not be written; they are tried again'),
    );
    const authentication = createAuthenticationService({
      apiKeys: storage.apiKeys,
      proof: keyring.apiKeyProof,
      onForgery: (keyId) => logger.error({ keyId }, 'ALARM: the row of an API key was changed outside of this program'),
    });
    let isStopping = false;
    let listeningAt = urlOf(config.host, config.port);
    const reads = createReadAudit(storage.audit);
    const values = createValuesService({
      values: storage.values,
      keyring,
      reads,
      onBrokenSeal: (valueId) => logger.error({ valueId }, 'ALARM: a sealed value does not open'),
    });
    const rendering = createRenderingService();
    const userData = createUserDataService(values, rendering, reads);
    const { instances } = storage;
    const proof = keyring.apiKeyProof;
    // Loaded by a server alone: commands start in half the time without it.
    const { buildApp } = await import('./app.ts');
    const app: App = await buildApp({
      logger,
      lists: createListsService(storage.lists),
      values,
      userData,
      instances: createInstancesService({ instances, values: storage.values, keyring, proof, rendering }),
      seeds: createSeedsService({ instances, keyring, proof, userData, refusals }),
      baseUrl: () => config.publicUrl ?? listeningAt,
      authentication,
      refusals,
      audit,
      checkReady: () => storage.checkWritable(),
      isStopping: () => isStopping,
    });
    app.addHook('onListen', (done) => {
      listeningAt = listeningUrl(app, config.host);
      done();
    });
    return {
      app,
      firstToken,
      beginStopping() {
        isStopping = true;
      },
      async close() {
        stopPruning();
        await app.close();
        await rendering.close();
        await refusals.close();
        await release();
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** Where the server listens, as a URL of this machine. */
export function listeningUrl(app: App, host: string): string {
  return urlOf(host, (app.server.address() as AddressInfo).port);
}

export function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

export interface Administration {
  readonly accounts: AccountsService;
  readonly apiKeys: ApiKeysService;
  readonly audit: AuditTrailService;
  close(): Promise<void>;
}

/**
 * What the command line works with, beside a running server or without one. `mayBeRolledBack` is for commands that only
 * look at the audit trail, and so at a store that lost what it had too.
 */
export async function composeAdministration(
  config: Config,
  { mayBeRolledBack = false }: { readonly mayBeRolledBack?: boolean } = {},
): Promise<Administration> {
  const { storage } = openSqliteStorage({
    directory: config.dataDirectory,
    mode: 'existing',
    onOutcomeUnknown: NO_NOTICES.onOutcomeUnknown,
  });
  const head = openHeadFile(config.dataDirectory, NO_NOTICES.onHeadFailure);
  const close = async () => {
    await storage.close();
    await head.close();
  };
  try {
    const storedFingerprints = await storage.keys.listRootKeyFingerprints();
    if (storedFingerprints.length === 0) throw notInitialised();
    const { rootKey } = provideRootKey({
      configured: config.rootKey,
      directory: config.dataDirectory,
      storedFingerprints,
    });
    const keyring = await openKeyring(rootKey, storage);
    const trail = { ...storage, rootKey, head, onTailMissing: NO_NOTICES.onTailMissing };
    const chain = await withKeysThatOpen(async () =>
      mayBeRolledBack ? await findChain(trail) : (await continueTrail(trail, false)).chain,
    );
    return {
      accounts: createAccountsService(storage.accounts, keyring),
      apiKeys: createApiKeysService(storage.apiKeys, keyring.apiKeyProof),
      audit: createAuditTrailService({ ...storage, chain, head }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Brings the database to this version and returns the names of the migrations that it needed. */
export async function migrateStore(config: Config): Promise<readonly string[]> {
  const { appliedMigrations, release } = openToServe(config, NO_NOTICES);
  await release();
  return appliedMigrations;
}

interface ServingStorage extends OpenedSqliteStorage {
  readonly head: HeadFile;
  readonly reserve: ReserveFile;
  release(): Promise<void>;
}

/** Opens the store for the one process that may migrate and serve it. */
function openToServe(
  { dataDirectory: directory }: Config,
  { onOutcomeUnknown, onHeadFailure, onReserveChange }: StoreNotices,
): ServingStorage {
  prepareDataDirectory(directory);
  const lock = acquireServerLock(directory);
  try {
    refuseLostDatabase(directory);
    const reserve = openReserveFile(directory, onReserveChange);
    const opened = openSqliteStorage({ directory, mode: 'migrate', onOutcomeUnknown, reserve });
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
  if (hasSqliteDatabase(directory)) return;
  const [what, file] = hasRootKeyFile(directory) ? ['root key', 'root.key'] : ['file head', 'head'];
  if (!hasRootKeyFile(directory) && !hasHeadFile(directory)) return;
  throw new OperatorError(
    'storage',
    `The data directory ${directory} has a ${what} but no database; restore the database, or move ${file} away to start empty.`,
  );
}

async function prepareKeys(
  config: Config,
  { storage, head }: ServingStorage,
  { onTailMissing }: StoreNotices,
  acceptRollback: boolean,
): Promise<StartedTrail & { keyring: Keyring; firstToken: string | undefined }> {
  const storedFingerprints = await storage.keys.listRootKeyFingerprints();
  const { rootKey, keep } = provideRootKey({
    configured: config.rootKey,
    directory: config.dataDirectory,
    storedFingerprints,
  });
  const trail = { ...storage, rootKey, head, onTailMissing };
  const firstToken = storedFingerprints.length === 0 ? await initialiseStore(trail, config.firstApiKey) : undefined;
  keep();
  const keyring = await openKeyring(rootKey, storage);
  return { keyring, firstToken, ...(await withKeysThatOpen(() => continueTrail(trail, acceptRollback))) };
}

async function openKeyring(rootKey: RootKey, storage: Storage): Promise<Keyring> {
  const systemKeys = await storage.keys.findSystemKeys();
  if (systemKeys === undefined) throw notInitialised();
  return await withKeysThatOpen(async () => createKeyring(rootKey, systemKeys, storage.keys));
}

async function withKeysThatOpen<T>(open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof SealBrokenError)) throw error;
    throw new OperatorError(
      'storage',
      'The keys in the database do not open, though its root key is the right one: the database was changed or damaged; restore it from a backup.',
    );
  }
}

function notInitialised(): OperatorError {
  return new OperatorError('storage', 'The database is empty; run "secret-manager serve" once to initialise it.');
}
