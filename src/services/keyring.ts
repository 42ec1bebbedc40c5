// The keys in memory: unwrapped once, kept as KeyObjects, never as bytes.

import type { KeyObject } from 'node:crypto';
import { type ApiKeyProof, createApiKeyProof } from '../crypto/api-key-proof.ts';
import { SealBrokenError } from '../crypto/envelope.ts';
import type { RootKey } from '../crypto/root-key.ts';
import { ApiError } from '../domain/errors.ts';
import type { KeysRepository, SystemKeyPurpose, SystemKeys, WrappedKey } from '../storage/storage.ts';

/** More accounts than this in use at once, and the cache starts again. */
const MAX_CACHED_ACCOUNTS = 10_000;

export interface DataKeys {
  /** What new values are sealed with. */
  readonly currentVersion: number;
  /** Throws SealBrokenError for a version that the account doesn't have. */
  get(version: number): KeyObject;
}

export interface Keyring {
  readonly apiKeyProof: ApiKeyProof;
  /** Throws `unauthenticated` when the account is gone, SealBrokenError when its keys don't unwrap. */
  dataKeys(accountId: number): Promise<DataKeys>;
  newWrappedDataKey(accountId: number): WrappedKey;
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

/** Throws SealBrokenError when the system keys don't unwrap with the root key. */
export function unwrapApiKeyProof(rootKey: RootKey, systemKeys: SystemKeys): ApiKeyProof {
  const unwrap = (kind: 'api-key-tokens' | 'api-key-rows') => rootKey.unwrap(systemKeys[kind].wrappedKey, { kind });
  return createApiKeyProof(unwrap('api-key-tokens'), unwrap('api-key-rows'));
}

/** The first data key of an account, made and wrapped by the root key. */
export function newWrappedDataKey(rootKey: RootKey, accountId: number): WrappedKey {
  return {
    rootKeyFingerprint: rootKey.fingerprint,
    wrappedKey: rootKey.newWrappedKey({ kind: 'data', accountId, version: 1 }),
  };
}

export function createKeyring(rootKey: RootKey, systemKeys: SystemKeys, repository: KeysRepository): Keyring {
  const cache = new Map<number, DataKeys>();

  async function load(accountId: number): Promise<DataKeys> {
    const stored = await repository.findDataKeys(accountId);
    if (stored === undefined) throw new ApiError('unauthenticated');
    const keys = new Map(
      stored.dataKeys.map(({ version, wrappedKey }) => [
        version,
        rootKey.unwrap(wrappedKey, { kind: 'data', accountId, version }),
      ]),
    );
    return {
      currentVersion: stored.currentVersion,
      get(version) {
        const key = keys.get(version);
        if (key === undefined) throw new SealBrokenError();
        return key;
      },
    };
  }

  return {
    apiKeyProof: unwrapApiKeyProof(rootKey, systemKeys),

    async dataKeys(accountId) {
      const cached = cache.get(accountId);
      if (cached !== undefined) return cached;
      const loaded = await load(accountId);
      if (cache.size >= MAX_CACHED_ACCOUNTS) cache.clear();
      cache.set(accountId, loaded);
      return loaded;
    },

    newWrappedDataKey: (accountId) => newWrappedDataKey(rootKey, accountId),
  };
}
