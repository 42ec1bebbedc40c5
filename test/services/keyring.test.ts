// When the keyring asks the store for keys, and when it gives up. What rotations do to a server is key-rotation.test.ts.

import { beforeEach, describe, expect, test } from 'vitest';
import { SealBrokenError } from '../../src/crypto/envelope.ts';
import { createRootKey } from '../../src/crypto/root-key.ts';
import { createRootKeys } from '../../src/crypto/root-keys.ts';
import { StaleDataKeyError } from '../../src/domain/errors.ts';
import { createKeyring, type Keyring, newWrappedDataKey, newWrappedSystemKeys } from '../../src/services/keyring.ts';
import type { KeyRotationRepository } from '../../src/storage/key-rotation.ts';
import type { KeysRepository } from '../../src/storage/storage.ts';

const ACCOUNT = 3;
const OLD = createRootKey(Buffer.alloc(32, 1));
const NEW = createRootKey(Buffer.alloc(32, 2));

let versions: number[];
let asked: number;
let added: number[];
let wrappedBy: typeof OLD;
let readings: number;
let canRead: boolean;
let keyring: Keyring;
beforeEach(() => {
  versions = [1];
  [asked, added, readings] = [0, [], 0];
  wrappedBy = OLD;
  canRead = true;
  const findDataKeys = async () => {
    asked += 1;
    const dataKeys = versions.map((version) => ({ version, ...newWrappedDataKey(wrappedBy, ACCOUNT, version) }));
    return { currentVersion: versions.at(-1) ?? 0, dataKeys };
  };
  const addDataKey = async (_account: number, superseded: number) => {
    added.push(superseded);
    versions.push(superseded + 1);
    return true;
  };
  const rootKeys = createRootKeys([OLD], () => {
    readings += 1;
    return canRead ? [NEW, OLD] : undefined;
  });
  keyring = createKeyring({
    rootKeys,
    systemKeys: newWrappedSystemKeys(OLD),
    keys: { findDataKeys } as unknown as KeysRepository,
    rotation: { addDataKey } as unknown as KeyRotationRepository,
  });
});

const current = () => keyring.withDataKeys(ACCOUNT, ({ currentVersion }) => currentVersion);
const open = (version: number) => keyring.withDataKeys(ACCOUNT, (dataKeys) => dataKeys.get(version));

/** As the store refuses a seal under another version. */
const seal = () =>
  keyring.withDataKeys(ACCOUNT, ({ currentVersion }) => {
    if (currentVersion !== versions.at(-1)) throw new StaleDataKeyError('superseded');
    return currentVersion;
  });

describe('the keys of an account', () => {
  test('are asked for once, and again only when they are old', async () => {
    expect([await current(), await seal(), await current()]).toEqual([1, 1, 1]);
    expect(asked).toBe(1);
    versions = [1, 2];
    expect(await current()).toBe(1);
    expect(await seal()).toBe(2);
    expect(asked).toBe(2);
    versions = [2, 3];
    await open(3);
    expect(await seal()).toBe(3);
    expect(asked).toBe(3);
  });

  test('that the account does not have are told as broken, after a few tries, and the others stay usable', async () => {
    await expect(open(7)).rejects.toBeInstanceOf(SealBrokenError);
    expect(asked).toBeLessThan(10);
    await open(1);
    await expect(open(7)).rejects.toBeInstanceOf(SealBrokenError);
  });

  test('are replaced when they are worn out', async () => {
    const wornOut = () =>
      keyring.withDataKeys(ACCOUNT, ({ currentVersion }) => {
        if (currentVersion === 1) throw new StaleDataKeyError('worn-out');
        return currentVersion;
      });
    expect(await wornOut()).toBe(2);
    expect(added).toEqual([1]);
  });

  test('that a store refuses for ever end as 503, and any other failure as it is, at once', async () => {
    const refused = keyring.withDataKeys(ACCOUNT, () => {
      throw new StaleDataKeyError('superseded');
    });
    await expect(refused).rejects.toMatchObject({ name: 'ApiError', code: 'storage_unavailable' });
    const failure = new RangeError('on purpose');
    let tries = 0;
    const failing = keyring.withDataKeys(ACCOUNT, () => {
      tries += 1;
      throw failure;
    });
    await expect(failing).rejects.toBe(failure);
    expect(tries).toBe(1);
  });
});

describe('keys under a root key that is not in memory', () => {
  test('are found by reading the root keys again, once', async () => {
    wrappedBy = NEW;
    expect(await current()).toBe(1);
    versions = [1, 2];
    expect(await seal()).toBe(2);
    expect(readings).toBe(1);
    expect(keyring.newWrappedDataKey(ACCOUNT, 3).rootKeyFingerprint).toBe(NEW.fingerprint);
  });

  test('that cannot be read again are missed by name', async () => {
    canRead = false;
    wrappedBy = NEW;
    await expect(current()).rejects.toMatchObject({
      kind: 'root-key',
      message: `The root key ${NEW.fingerprint} wraps a key and is not at hand; add it.`,
    });
  });
});
