// Several root keys: as text, in root.key, and in memory.

import { chmodSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { createRootKey, type KeyPurpose } from '../../src/crypto/root-key.ts';
import { addToKeyFile, readKeyFile, removeFromKeyFile } from '../../src/crypto/root-key-file.ts';
import { findRootKeys, provideRootKeys } from '../../src/crypto/root-key-providers.ts';
import { parseRootKeys } from '../../src/crypto/root-key-text.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const base = temporaryDirectory();
const bytesOf = (i: number) => Buffer.alloc(32, i);
const base64Of = (i: number) => bytesOf(i).toString('base64');
const fingerprintOf = (i: number) => createRootKey(bytesOf(i)).fingerprint;
const fingerprints = (keys: readonly { fingerprint: string }[]) => keys.map(({ fingerprint }) => fingerprint);

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(base, 'file-'));
  path = join(directory, 'root.key');
});

function write(...keys: number[]): void {
  writeFileSync(path, `${keys.map(base64Of).join('\n')}\n`, { mode: 0o600 });
}

function source(configured?: readonly Buffer[], configuredFile?: string) {
  return { configured, configuredFile, directory };
}

describe('the text of root keys', () => {
  test('gives the keys in their order, however they are separated', () => {
    const separator = fc.stringMatching(/^[\s,]{1,4}$/);
    const around = fc.stringMatching(/^[\s,]{0,3}$/);
    const keys = fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(keys, separator, around, (made, between, edge) => {
        const text = edge + made.map((key) => Buffer.from(key).toString('base64')).join(between) + edge;
        expect(parseRootKeys(text)).toEqual({ keys: made.map((key) => Buffer.from(key)) });
      }),
    );
  });

  test('says which one is malformed by its position, and nothing of it', () => {
    expect(parseRootKeys('')).toEqual({ fault: 'is not 32 bytes in base64' });
    expect(parseRootKeys('short')).toEqual({ fault: 'is not 32 bytes in base64' });
    const fault = { fault: 'has 3 keys, and number 2 is not 32 bytes in base64' };
    expect(parseRootKeys(`${base64Of(1)},canary,${base64Of(2)}`)).toEqual(fault);
  });
});

describe('a key file', () => {
  test('gets a new key in front, and keeps all others and its mode', () => {
    write(1, 2);
    addToKeyFile(path);
    const [made, ...others] = fingerprints(readKeyFile(path));
    expect(others).toEqual([fingerprintOf(1), fingerprintOf(2)]);
    expect(others).not.toContain(made);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['root.key']);
  });

  test('loses the one key that is taken out, or none', () => {
    write(1, 2, 3);
    expect(removeFromKeyFile(path, fingerprintOf(2))).toBe(true);
    expect(fingerprints(readKeyFile(path))).toEqual([fingerprintOf(1), fingerprintOf(3)]);
    const before = readFileSync(path);
    expect(removeFromKeyFile(path, fingerprintOf(2))).toBe(false);
    expect(readFileSync(path)).toEqual(before);
  });

  test('is not touched by what an interrupted change left beside it, and the next change clears that away', () => {
    write(1);
    writeFileSync(`${path}.new`, 'half of a k', { mode: 0o644 });
    expect(fingerprints(readKeyFile(path))).toEqual([fingerprintOf(1)]);
    addToKeyFile(path);
    expect(readdirSync(directory)).toEqual(['root.key']);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('that somebody opened to others is not used, nor changed', () => {
    write(1, 2);
    chmodSync(path, 0o640);
    expect(() => readKeyFile(path)).toThrow('is open to other users');
  });
});

describe('several root keys', () => {
  const stored = [fingerprintOf(1), fingerprintOf(2)];

  test.each(['configured', 'in the key file'])('%s: the first is the current one, all are found', (where) => {
    if (where === 'in the key file') write(3, 1, 2);
    const configured = where === 'configured' ? [bytesOf(3), bytesOf(1), bytesOf(2)] : undefined;
    const { rootKeys, file } = provideRootKeys({ ...source(configured), storedFingerprints: stored });
    expect(rootKeys.current.fingerprint).toBe(fingerprintOf(3));
    expect(fingerprints(rootKeys.all)).toEqual([3, 1, 2].map(fingerprintOf));
    expect(rootKeys.find(fingerprintOf(2))?.fingerprint).toBe(fingerprintOf(2));
    expect(rootKeys.find(fingerprintOf(4))).toBeUndefined();
    expect(file === undefined).toBe(where === 'configured');
  });

  test('are refused when the data needs one that is not among them, and it is named', () => {
    const provide = (...keys: number[]) =>
      provideRootKeys({ ...source(keys.map(bytesOf)), storedFingerprints: stored });
    expect(() => provide(2, 3)).toThrow(`but the data still needs ${fingerprintOf(1)} too; put that root key behind`);
    expect(() => provide(3)).toThrow(`sealed under ${stored.join(' and ')}`);
  });

  test('that are there are told whatever the data needs, and none is made', () => {
    expect(findRootKeys(source())).toBeUndefined();
    write(3);
    expect(findRootKeys(source())?.rootKeys.current.fingerprint).toBe(fingerprintOf(3));
    expect(readdirSync(directory)).toEqual(['root.key']);
  });

  test('are read again from either file, never from a variable; what is gone there is kept', () => {
    write(1);
    const fromData = findRootKeys(source());
    const fromMount = findRootKeys(source([bytesOf(1)], path));
    const fromVariable = findRootKeys(source([bytesOf(1)]));
    write(3, 2);
    for (const found of [fromData, fromMount, fromVariable]) found?.rootKeys.readAgain();
    const now = [3, 2, 1].map(fingerprintOf);
    expect(fingerprints(fromData?.rootKeys.all ?? [])).toEqual(now);
    expect(fingerprints(fromMount?.rootKeys.all ?? [])).toEqual(now);
    expect(fromMount?.rootKeys.current.fingerprint).toBe(fingerprintOf(3));
    expect(fingerprints(fromVariable?.rootKeys.all ?? [])).toEqual([fingerprintOf(1)]);
  });

  test('stay as they were when what is there now cannot be used', () => {
    write(1);
    const found = findRootKeys(source());
    writeFileSync(path, 'half of a k');
    expect(() => found?.rootKeys.readAgain()).toThrow('is not 32 bytes in base64');
    expect(fingerprints(found?.rootKeys.all ?? [])).toEqual([fingerprintOf(1)]);
  });
});

test('a key that is wrapped again and again, by one root key after another, stays the same', () => {
  const purposes: fc.Arbitrary<KeyPurpose> = fc.oneof(
    fc.record({ kind: fc.constant('data' as const), accountId: fc.maxSafeNat(), version: fc.maxSafeNat() }),
    fc.record({ kind: fc.constantFrom('api-key-tokens' as const, 'api-key-rows' as const) }),
  );
  fc.assert(
    fc.property(purposes, fc.array(fc.nat(255), { minLength: 1, maxLength: 6 }), (purpose, turns) => {
      const first = createRootKey(bytesOf(7));
      const original = first.unwrap(first.newWrappedKey(purpose), purpose);
      let key = original;
      for (const turn of turns) {
        const rootKey = createRootKey(bytesOf(turn));
        key = rootKey.unwrap(rootKey.wrap(key, purpose), purpose);
      }
      expect(key.equals(original)).toBe(true);
    }),
  );
});
