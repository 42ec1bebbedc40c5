// The only wiring: configuration -> store, keys, services -> app.

import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  composeKeyAdministration,
  type KeyAdministration,
  openKeyring,
  prepareKeys,
  provideKeys,
  watchRootKeys,
} from './compose-keys.ts';
import type { Config } from './config.ts';
import { hasRootKeyFile } from './crypto/root-key-providers.ts';
import { OperatorError } from './domain/errors.ts';
import { SERVER_BOUNDS, type ServerBounds } from './domain/limits.ts';
import { prepareDataDirectory } from './files/data-directory.ts';
import type { App } from './http/app-types.ts';
import type { Logger } from './logger.ts';
import { type AccountsService, createAccountsService } from './services/accounts-service.ts';
import { type ApiKeysService, createApiKeysService } from './services/api-keys-service.ts';
import { createAuthenticationService } from './services/authentication-service.ts';
import { createFailuresService } from './services/failures-service.ts';
import { createInstancesService } from './services/instances-service.ts';
import { createListsService } from './services/lists-service.ts';
import { createRefusalsService } from './services/refusals-service.ts';
import { createRenderingService } from './services/rendering-service.ts';
import { createSeedsService } from './services/seeds-service.ts';
import { createUserDataService } from './services/user-data-service.ts';
import { createValueAnswers } from './services/value-answers.ts';
import { createValuesService } from './services/values-service.ts';
import { refuseUnfinishedReplacement } from './storage/sqlite/database-replacement.ts';
import { acquireServerLock } from './storage/sqlite/server-lock.ts';
import { hasSqliteDatabase, type OpenedSqliteStorage, openSqliteStorage } from './storage/sqlite/sqlite-storage.ts';

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

/** `onOutcomeUnknown` is called after a failed fsync: the process must end with an error. */
export async function composeServer(
  config: Config,
  logger: Logger,
  onOutcomeUnknown: () => void,
  bounds: ServerBounds = SERVER_BOUNDS,
): Promise<Server> {
  const { storage, release } = openToServe(config, onOutcomeUnknown);
  try {
    const { rootKeys, firstToken } = await prepareKeys(config, storage);
    const keyring = await openKeyring(rootKeys, storage);
    const refusals = createRefusalsService(storage.audit, (error) =>
      logger.error({ err: error }, 'audit events of refused requests could not be written; they are tried again'),
    );
    const failures = createFailuresService(bounds, (address) =>
      logger.warn({ address }, 'too many requests from this address had no working key or token; more get 429'),
    );
    const authentication = createAuthenticationService({
      apiKeys: storage.apiKeys,
      revisions: storage.revisions,
      proof: keyring.apiKeyProof,
      onForgery: (keyId) => logger.error({ keyId }, 'ALARM: the row of an API key was changed outside of this program'),
    });
    let isStopping = false;
    let listeningAt = urlOf(config.host, config.port);
    const values = createValuesService({
      values: storage.values,
      keyring,
      onBrokenSeal: (valueId) => logger.error({ valueId }, 'ALARM: a sealed value does not open'),
    });
    const rendering = createRenderingService();
    const userData = createUserDataService(values, rendering);
    const { instances } = storage;
    const proof = keyring.apiKeyProof;
    // Loaded by a server alone: commands start in half the time without it.
    const { buildApp } = await import('./app.ts');
    const app: App = await buildApp({
      logger,
      lists: createListsService(storage.lists),
      values,
      answers: createValueAnswers({ values: storage.values, revisions: storage.revisions, service: values }),
      revisionOf: storage.revisions.ofAccount,
      userData,
      instances: createInstancesService({ instances, values: storage.values, keyring, proof, rendering }),
      seeds: createSeedsService({ instances, keyring, proof, userData, refusals, failures }),
      baseUrl: () => config.publicUrl ?? listeningAt,
      authentication,
      refusals,
      failures,
      bounds,
      checkReady: () => storage.checkWritable(),
      isStopping: () => isStopping,
    });
    const endWatch = watchRootKeys(rootKeys, storage.rotation, logger);
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
        endWatch();
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
  readonly rootKeys: KeyAdministration['rootKeys'];
  readonly dataKeys: KeyAdministration['dataKeys'];
  close(): Promise<void>;
}

/** What the command line works with, beside a running server or without one. */
export async function composeAdministration(config: Config): Promise<Administration> {
  const { storage } = openSqliteStorage({
    directory: config.dataDirectory,
    mode: 'existing',
    quotas: config.quotas,
    onOutcomeUnknown: () => undefined,
  });
  try {
    const provided = await provideKeys(config, storage);
    const keyring = await openKeyring(provided.rootKeys, storage);
    const keys = composeKeyAdministration(config, storage, provided, keyring);
    return {
      accounts: createAccountsService(storage.accounts, keyring, keys.ensureWrappable),
      apiKeys: createApiKeysService(storage.apiKeys, keyring.apiKeyProof),
      rootKeys: keys.rootKeys,
      dataKeys: keys.dataKeys,
      close: () => storage.close(),
    };
  } catch (error) {
    await storage.close();
    throw error;
  }
}

/** Brings the database to this version and returns the names of the migrations that it needed. */
export async function migrateStore(config: Config): Promise<readonly string[]> {
  const { appliedMigrations, release } = openToServe(config, () => undefined);
  await release();
  return appliedMigrations;
}

interface ServingStorage extends OpenedSqliteStorage {
  release(): Promise<void>;
}

/** Opens the store for the one process that may migrate and serve it. */
function openToServe(config: Config, onOutcomeUnknown: () => void): ServingStorage {
  const directory = config.dataDirectory;
  prepareDataDirectory(directory);
  const lock = acquireServerLock(directory);
  try {
    refuseLostDatabase(directory);
    const opened = openSqliteStorage({
      directory,
      mode: 'migrate',
      quotas: config.quotas,
      onOutcomeUnknown,
    });
    return {
      ...opened,
      async release() {
        await opened.storage.close();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** A root key without its database is a lost volume or file, not a first start. */
function refuseLostDatabase(directory: string): void {
  refuseUnfinishedReplacement(directory);
  if (hasSqliteDatabase(directory) || !hasRootKeyFile(directory)) return;
  throw new OperatorError(
    'storage',
    `The data directory ${directory} has a root key but no database; restore the database, or move root.key away to start empty.`,
  );
}
