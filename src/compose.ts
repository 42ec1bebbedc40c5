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
  withKeysThatOpen,
} from './compose-keys.ts';
import { openToServe } from './compose-storage.ts';
import type { Config } from './config.ts';
import { SERVER_BOUNDS, type ServerBounds } from './domain/limits.ts';
import { openHeadFile } from './files/head-file.ts';
import type { App } from './http/app-types.ts';
import type { Logger } from './logger.ts';
import { type AccountsService, createAccountsService } from './services/accounts-service.ts';
import { type ApiKeysService, createApiKeysService } from './services/api-keys-service.ts';
import { startPruning } from './services/audit-retention.ts';
import { continueTrail, findChain } from './services/audit-start.ts';
import { type AuditTrailService, createAuditTrailService, noChain } from './services/audit-trail-service.ts';
import { createAuthenticationService } from './services/authentication-service.ts';
import { createFailuresService } from './services/failures-service.ts';
import { createInstancesService } from './services/instances-service.ts';
import { createListsService } from './services/lists-service.ts';
import { createReadAudit } from './services/read-audit.ts';
import { createRefusalsService } from './services/refusals-service.ts';
import { createRenderingService } from './services/rendering-service.ts';
import { createSealedAnswers } from './services/sealed-answers.ts';
import { createSeedsService } from './services/seeds-service.ts';
import { createUserDataService } from './services/user-data-service.ts';
import { createValueAnswers } from './services/value-answers.ts';
import { createValuesService } from './services/values-service.ts';
import { openSqliteStorage } from './storage/sqlite/sqlite-storage.ts';
import { NO_NOTICES, storeNotices, tellStart } from './store-notices.ts';

const MAX_KEPT_BYTES_OF_LISTS = 16 * 1024 * 1024;

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

/** What tests may choose, and the person at the command line. */
export interface ServerOptions {
  readonly bounds?: ServerBounds;
  /** Goes on with a store that lost what it had. */
  readonly acceptRollback?: boolean;
}

/** `onOutcomeUnknown` is called after a failed fsync: the process must end with an error. */
export async function composeServer(
  config: Config,
  logger: Logger,
  onOutcomeUnknown: () => void,
  { bounds = SERVER_BOUNDS, acceptRollback = false }: ServerOptions = {},
): Promise<Server> {
  const notices = storeNotices(logger, onOutcomeUnknown);
  const opened = openToServe(config, notices);
  const { storage, release } = opened;
  try {
    const { rootKeys, keyring, firstToken, chain, accepted, begunAfter } = await prepareKeys(
      config,
      opened,
      notices,
      acceptRollback,
    );
    tellStart(logger, { accepted, begunAfter, acceptRollback, hasReserve: opened.reserve.hold() });
    const audit = createAuditTrailService({ ...storage, chain, head: opened.head });
    const stopPruning = startPruning(audit, config.auditRetentionDays, notices.onPruningFailure);
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
    const reads = createReadAudit(storage.audit);
    const values = createValuesService({
      values: storage.values,
      keyring,
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
      listAnswers: createSealedAnswers(storage.revisions, MAX_KEPT_BYTES_OF_LISTS),
      answers: createValueAnswers({ values: storage.values, revisions: storage.revisions, service: values, reads }),
      revisionOf: storage.revisions.ofAccount,
      userData,
      instances: createInstancesService({ instances, values: storage.values, keyring, proof, rendering }),
      seeds: createSeedsService({ instances, keyring, proof, userData, refusals, failures }),
      baseUrl: () => config.publicUrl ?? listeningAt,
      authentication,
      refusals,
      failures,
      bounds,
      audit,
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
  readonly rootKeys: KeyAdministration['rootKeys'];
  readonly dataKeys: KeyAdministration['dataKeys'];
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
    quotas: config.quotas,
    onOutcomeUnknown: NO_NOTICES.onOutcomeUnknown,
  });
  const head = openHeadFile(config.dataDirectory, NO_NOTICES.onHeadFailure);
  const close = async () => {
    await storage.close();
    await head.close();
  };
  try {
    const provided = await provideKeys(config, storage);
    const keyring = await openKeyring(provided.rootKeys, storage);
    const keys = composeKeyAdministration(config, storage, provided, keyring);
    const trail = { ...storage, rootKeys: provided.rootKeys, head, onTailMissing: NO_NOTICES.onTailMissing };
    const chain = await withKeysThatOpen(async () => {
      const found = await findChain(trail);
      if (mayBeRolledBack) return found;
      // Begun by whoever holds the server's lock alone: two commands at once would begin two.
      if (found === undefined) throw noChain();
      return (await continueTrail(trail, false)).chain;
    });
    return {
      accounts: createAccountsService(storage.accounts, keyring, keys.ensureWrappable),
      apiKeys: createApiKeysService(storage.apiKeys, keyring.apiKeyProof),
      rootKeys: keys.rootKeys,
      dataKeys: keys.dataKeys,
      audit: createAuditTrailService({ ...storage, chain, head }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
