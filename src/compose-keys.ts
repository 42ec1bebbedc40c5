// The wiring of keys: where root keys come from, who has them, and what changes them.

import { setTimeout as sleep } from 'node:timers/promises';
import type { ServingStorage } from './compose-storage.ts';
import type { Config } from './config.ts';
import { SealBrokenError } from './crypto/envelope.ts';
import {
  findRootKeys,
  type ProvidedRootKeys,
  provideRootKeys,
  type RootKeySource,
} from './crypto/root-key-providers.ts';
import type { RootKeys } from './crypto/root-keys.ts';
import { OperatorError } from './domain/errors.ts';
import type { Logger } from './logger.ts';
import { continueTrail, type StartedTrail, type TrailDependencies } from './services/audit-start.ts';
import { createDataKeysService, type DataKeysService } from './services/data-keys-service.ts';
import { initialiseStore } from './services/first-start.ts';
import { createKeyring, type Keyring } from './services/keyring.ts';
import {
  createRootKeysService,
  listRootKeys,
  type RootKeyStatus,
  type RootKeysService,
} from './services/root-keys-service.ts';
import type { KeyRotationRepository } from './storage/key-rotation.ts';
import { acquireKeysLock, tryServerLock } from './storage/sqlite/server-lock.ts';
import { openSqliteStorage } from './storage/sqlite/sqlite-storage.ts';
import type { Storage } from './storage/storage.ts';
import type { StoreNotices } from './store-notices.ts';

/** How often a server looks whether a root key was announced that it hasn't. */
const LOOK_FOR_KEYS_EVERY_MS = 500;
/** How long a command waits until the server has a root key that was announced: it can read a file again. */
const WAITS_FOR_FILE = 100;
const WAITS_FOR_VARIABLE = 30;
const WAIT_MS = 100;

export interface PreparedKeys extends StartedTrail {
  readonly rootKeys: RootKeys;
  readonly keyring: Keyring;
  readonly firstToken: string | undefined;
}

/** The keys of a server, and the audit trail that they seal. Notes that it has them, after the very first start has made what they wrap. */
export async function prepareKeys(
  config: Config,
  { storage, head }: ServingStorage,
  { onTailMissing }: StoreNotices,
  acceptRollback: boolean,
): Promise<PreparedKeys> {
  const storedFingerprints = await storage.keys.listRootKeyFingerprints();
  const { rootKeys, keep } = provideRootKeys({ ...sourceOf(config), storedFingerprints });
  const trail = { ...storage, rootKeys, head, onTailMissing };
  const firstToken = storedFingerprints.length === 0 ? await initialiseStore(trail, config.firstApiKey) : undefined;
  keep();
  return { rootKeys, firstToken, ...(await takeUpStore(trail, storage, acceptRollback)) };
}

/** Makes a store that is initialised one that these root keys and the head beside it belong to. */
export async function takeUpStore(
  trail: TrailDependencies,
  storage: Storage,
  acceptRollback: boolean,
): Promise<StartedTrail & { readonly keyring: Keyring }> {
  await holdOrRefuse(trail.rootKeys, storage.rotation);
  const keyring = await openKeyring(trail.rootKeys, storage);
  return { keyring, ...(await withKeysThatOpen(() => continueTrail(trail, acceptRollback))) };
}

/** The keys of a command. */
export async function provideKeys(config: Config, storage: Storage): Promise<ProvidedRootKeys> {
  const storedFingerprints = await storage.keys.listRootKeyFingerprints();
  if (storedFingerprints.length === 0) throw notInitialised();
  return provideRootKeys({ ...sourceOf(config), storedFingerprints });
}

export async function openKeyring(rootKeys: RootKeys, storage: Storage): Promise<Keyring> {
  const { keys, rotation } = storage;
  const systemKeys = await keys.findSystemKeys();
  if (systemKeys === undefined) throw notInitialised();
  return await withKeysThatOpen(async () => createKeyring({ rootKeys, systemKeys, keys, rotation }));
}

export async function withKeysThatOpen<T>(open: () => Promise<T>): Promise<T> {
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

/** Lets a server take up root keys that a command announces, and say that it has them. Returns what ends it. */
export function watchRootKeys(rootKeys: RootKeys, rotation: KeyRotationRepository, logger: Logger): () => void {
  let isFailing = false;
  let isEnded = false;

  async function look(): Promise<void> {
    try {
      const wanted = await rotation.listRootKeysNotAtHand();
      if (wanted.length === 0) return;
      if (wanted.some((fingerprint) => rootKeys.find(fingerprint) === undefined)) rootKeys.readAgain();
      const found = wanted.filter((fingerprint) => rootKeys.find(fingerprint) !== undefined);
      if (found.length > 0) {
        await rotation.holdRootKeys(fingerprintsOf(rootKeys), now());
        logger.info({ rootKeys: found }, 'root keys were read again');
      }
      isFailing = false;
    } catch (error) {
      if (!isFailing && !isEnded) logger.error({ err: error }, 'root keys could not be read again');
      isFailing = true;
    }
  }

  const timer = setInterval(() => void look(), LOOK_FOR_KEYS_EVERY_MS).unref();
  return () => {
    isEnded = true;
    clearInterval(timer);
  };
}

export interface KeyAdministration {
  readonly rootKeys: RootKeysService;
  readonly dataKeys: DataKeysService;
  readonly ensureWrappable: () => Promise<void>;
}

export function composeKeyAdministration(
  config: Config,
  { rotation }: Storage,
  { rootKeys, file }: ProvidedRootKeys,
  keyring: Keyring,
): KeyAdministration {
  const ensureAtHand = (fingerprint: string) => waitUntilAtHand(config, rootKeys, rotation, fingerprint);
  const ensureWrappable = () => ensureAtHand(rootKeys.current.fingerprint);
  async function alone<T>(work: () => Promise<T>): Promise<T> {
    const lock = acquireKeysLock(config.dataDirectory);
    try {
      return await work();
    } finally {
      lock.release();
    }
  }
  return {
    rootKeys: createRootKeysService({ rotation, rootKeys, file, ensureAtHand, alone }),
    dataKeys: createDataKeysService({ rotation, keyring, ensureWrappable, alone }),
    ensureWrappable,
  };
}

/** Of all root keys, those that are missing too: what somebody asks for whose server doesn't start. */
export async function readRootKeyStatus(config: Config): Promise<RootKeyStatus[]> {
  const options = { directory: config.dataDirectory, mode: 'existing', onOutcomeUnknown: () => undefined } as const;
  const { storage } = openSqliteStorage(options);
  try {
    const found = findRootKeys(sourceOf(config));
    return await listRootKeys(storage.rotation, found === undefined ? [] : fingerprintsOf(found.rootKeys));
  } finally {
    await storage.close();
  }
}

export function sourceOf({ rootKeys, rootKeyFile, dataDirectory }: Config): RootKeySource {
  return { configured: rootKeys, configuredFile: rootKeyFile, directory: dataDirectory };
}

/** A rotation may have gone on since the keys were read, so they are read once more before the start is refused. */
async function holdOrRefuse(rootKeys: RootKeys, rotation: KeyRotationRepository): Promise<void> {
  if ((await hold(rootKeys, rotation)).length === 0) return;
  rootKeys.readAgain();
  const missing = await hold(rootKeys, rotation);
  if (missing.length === 0) return;
  throw new OperatorError(
    'root-key',
    `The data needs the root key ${missing.join(' and ')}, which is not at hand; put it behind the first one.`,
  );
}

/** Writes only when there is something new to note: a server starts on a full disk too. */
async function hold(rootKeys: RootKeys, rotation: KeyRotationRepository): Promise<string[]> {
  const fingerprints = fingerprintsOf(rootKeys);
  const stored = await rotation.listRootKeys();
  const isNoted = stored.every(({ fingerprint, isAtHand, wrappedKeys }) => {
    const isHeld = fingerprints.includes(fingerprint);
    return isHeld === isAtHand && (isHeld || wrappedKeys === 0);
  });
  const isKnown = stored.some(({ fingerprint }) => fingerprint === rootKeys.current.fingerprint);
  return isNoted && isKnown ? [] : await rotation.holdRootKeys(fingerprints, now());
}

async function waitUntilAtHand(
  config: Config,
  rootKeys: RootKeys,
  rotation: KeyRotationRepository,
  fingerprint: string,
): Promise<void> {
  const isVariable = config.rootKeys !== undefined && config.rootKeyFile === undefined;
  const maxWaits = isVariable ? WAITS_FOR_VARIABLE : WAITS_FOR_FILE;
  await rotation.registerRootKey(fingerprint, now());
  for (let waits = 0; waits < maxWaits; waits += 1) {
    if (!(await rotation.listRootKeysNotAtHand()).includes(fingerprint)) return;
    const lock = tryServerLock(config.dataDirectory);
    if (lock === undefined) await sleep(WAIT_MS);
    else await holdFor(lock, rootKeys, rotation);
  }
  const advice = isVariable
    ? 'restart it with that key first and the others behind it'
    : 'look into its log, or restart it with the same root key file';
  throw new OperatorError(
    'refused',
    `The running server does not have the root key ${fingerprint}; ${advice}, then run this again.`,
  );
}

/** No server runs: what this process has, the next server must have too, or it doesn't start. */
async function holdFor(lock: { release(): void }, rootKeys: RootKeys, rotation: KeyRotationRepository): Promise<void> {
  try {
    await rotation.holdRootKeys(fingerprintsOf(rootKeys), now());
  } finally {
    lock.release();
  }
}

function fingerprintsOf(rootKeys: RootKeys): string[] {
  return rootKeys.all.map(({ fingerprint }) => fingerprint);
}

function now(): string {
  return new Date().toISOString();
}

function notInitialised(): OperatorError {
  return new OperatorError('storage', 'The database is empty; run "secret-manager serve" once to initialise it.');
}
