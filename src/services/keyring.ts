// The keys in memory: unwrapped once, kept as KeyObjects, never as bytes. Other processes change the stored ones: what
// is kept here is read again as soon as the store or a record says that it is old.

import type { KeyObject } from 'node:crypto';
import { type ApiKeyProof, createApiKeyProof } from '../crypto/api-key-proof.ts';
import { SealBrokenError } from '../crypto/envelope.ts';
import type { KeyPurpose, RootKey } from '../crypto/root-key.ts';
import type { RootKeys } from '../crypto/root-keys.ts';
import { ApiError, OperatorError, StaleDataKeyError } from '../domain/errors.ts';
import type { KeyRotationRepository } from '../storage/key-rotation.ts';
import type { KeysRepository, SystemKeyPurpose, SystemKeys, WrappedKey } from '../storage/storage.ts';
import { systemEvent } from './caller.ts';

/** More accounts than this in use at once, and the cache starts again. */
const MAX_CACHED_ACCOUNTS = 10_000;
/** Each try needs a rotation in the very moment of the one before. */
const MAX_TRIES = 5;

export interface DataKeys {
  /** What new values are sealed with. */
  readonly currentVersion: number;
  /** Throws StaleDataKeyError for a version that isn't known, SealBrokenError for one that the account doesn't have. */
  get(version: number): KeyObject;
}

export interface Keyring {
  readonly apiKeyProof: ApiKeyProof;
  /**
   * Does something with an account's data keys, and does it again with newer ones when it ends with StaleDataKeyError:
   * so it must read its records anew each time, and after it has the keys. A key that is worn out is replaced.
   * Throws `unauthenticated` when the account is gone, SealBrokenError when its keys don't unwrap.
   */
  withDataKeys<T>(accountId: number, work: (dataKeys: DataKeys) => T | Promise<T>): Promise<T>;
  newWrappedDataKey(accountId: number, version: number): WrappedKey;
}

export interface KeyringDependencies {
  readonly rootKeys: RootKeys;
  readonly systemKeys: SystemKeys;
  readonly keys: KeysRepository;
  readonly rotation: KeyRotationRepository;
}

export function newWrappedSystemKey(rootKey: RootKey, kind: SystemKeyPurpose): WrappedKey {
  return { rootKeyFingerprint: rootKey.fingerprint, wrappedKey: rootKey.newWrappedKey({ kind }) };
}

export function newWrappedSystemKeys(rootKey: RootKey): Required<SystemKeys> {
  return {
    'api-key-tokens': newWrappedSystemKey(rootKey, 'api-key-tokens'),
    'api-key-rows': newWrappedSystemKey(rootKey, 'api-key-rows'),
    'audit-chain': newWrappedSystemKey(rootKey, 'audit-chain'),
  };
}

/** Throws SealBrokenError when the system keys don't unwrap with the root keys. */
export function unwrapApiKeyProof(rootKeys: RootKeys, systemKeys: SystemKeys): ApiKeyProof {
  const unwrap = (kind: 'api-key-tokens' | 'api-key-rows') => unwrapKey(rootKeys, systemKeys[kind], { kind });
  return createApiKeyProof(unwrap('api-key-tokens'), unwrap('api-key-rows'));
}

/** A data key of an account, made and wrapped by the root key. */
export function newWrappedDataKey(rootKey: RootKey, accountId: number, version: number): WrappedKey {
  return {
    rootKeyFingerprint: rootKey.fingerprint,
    wrappedKey: rootKey.newWrappedKey({ kind: 'data', accountId, version }),
  };
}

/** Throws OperatorError (`root-key`) when the root key isn't there, SealBrokenError when it didn't wrap this. */
export function unwrapKey(rootKeys: RootKeys, wrapped: WrappedKey, purpose: KeyPurpose): KeyObject {
  const { rootKeyFingerprint, wrappedKey } = wrapped;
  if (rootKeys.find(rootKeyFingerprint) === undefined) rootKeys.readAgain();
  const rootKey = rootKeys.find(rootKeyFingerprint);
  if (rootKey !== undefined) return rootKey.unwrap(wrappedKey, purpose);
  throw new OperatorError('root-key', `The root key ${rootKeyFingerprint} wraps a key and is not at hand; add it.`);
}

export function createKeyring({ rootKeys, systemKeys, keys, rotation }: KeyringDependencies): Keyring {
  const cache = new Map<number, DataKeys>();

  async function load(accountId: number, isLastTry: boolean): Promise<DataKeys> {
    const stored = await keys.findDataKeys(accountId);
    if (stored === undefined) throw new ApiError('unauthenticated');
    const unwrapped = new Map(
      stored.dataKeys.map((key) => {
        const { version } = key;
        return [version, unwrapKey(rootKeys, key, { kind: 'data', accountId, version })];
      }),
    );
    if (cache.size >= MAX_CACHED_ACCOUNTS) cache.clear();
    const loaded = createDataKeys(stored.currentVersion, unwrapped, isLastTry);
    if (!isLastTry) cache.set(accountId, loaded);
    return loaded;
  }

  function wrapDataKey(accountId: number, version: number): WrappedKey {
    return newWrappedDataKey(rootKeys.current, accountId, version);
  }

  async function keysFor(accountId: number, isLastTry: boolean): Promise<DataKeys> {
    const cached = isLastTry ? undefined : cache.get(accountId);
    return cached ?? (await load(accountId, isLastTry));
  }

  /** Throws again what reading the keys anew doesn't mend. */
  async function mend(error: unknown, accountId: number, version: number, isLastTry: boolean): Promise<void> {
    if (!(error instanceof StaleDataKeyError)) throw error;
    cache.delete(accountId);
    if (isLastTry) throw new ApiError('storage_unavailable', { cause: error });
    if (error.reason !== 'worn-out') return;
    const event = systemEvent('data-key.rotate', accountId);
    await rotation.addDataKey(accountId, version, (next) => wrapDataKey(accountId, next), event);
  }

  return {
    apiKeyProof: unwrapApiKeyProof(rootKeys, systemKeys),

    async withDataKeys(accountId, work) {
      for (let tries = 1; ; tries += 1) {
        const isLastTry = tries === MAX_TRIES;
        const dataKeys = await keysFor(accountId, isLastTry);
        try {
          return await work(dataKeys);
        } catch (error) {
          await mend(error, accountId, dataKeys.currentVersion, isLastTry);
        }
      }
    },

    newWrappedDataKey: wrapDataKey,
  };
}

function createDataKeys(currentVersion: number, keys: ReadonlyMap<number, KeyObject>, isLastTry: boolean): DataKeys {
  return {
    currentVersion,
    get(version) {
      const key = keys.get(version);
      if (key !== undefined) return key;
      throw isLastTry ? new SealBrokenError() : new StaleDataKeyError('unknown');
    },
  };
}
