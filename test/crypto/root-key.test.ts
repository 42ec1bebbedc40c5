// The root key: recognised by its fingerprint, and what it wraps unwraps for one purpose alone.

import { createHmac, createSecretKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { SealBrokenError } from '../../src/crypto/envelope.ts';
import { createRootKey, type KeyPurpose } from '../../src/crypto/root-key.ts';
import { withFlipped } from './known-keys.ts';

const rootKey = createRootKey(Buffer.alloc(32, 1));
const otherRootKey = createRootKey(Buffer.alloc(32, 2));

const PURPOSES: readonly KeyPurpose[] = [
  { kind: 'data', accountId: 1, version: 1 },
  { kind: 'data', accountId: 2, version: 1 },
  { kind: 'data', accountId: 1, version: 2 },
  { kind: 'api-key-tokens' },
  { kind: 'api-key-rows' },
];

describe('a root key', () => {
  test('has the fingerprint that the documentation says, always the same', () => {
    const bytes = Buffer.alloc(32, 1);
    const mac = createHmac('sha256', bytes).update('secret-manager/root-key-fingerprint/v1').digest('hex');
    expect(rootKey.fingerprint).toBe(mac.slice(0, 16));
    expect(rootKey.fingerprint).toBe('9badd231a3cd259a');
    expect(createRootKey(Buffer.alloc(32, 1)).fingerprint).toBe(rootKey.fingerprint);
    expect(otherRootKey.fingerprint).not.toBe(rootKey.fingerprint);
    expect(createRootKey(withFlipped(bytes, 31)).fingerprint).not.toBe(rootKey.fingerprint);
  });

  test('overwrites the bytes it was made of and goes on working', () => {
    const bytes = Buffer.alloc(32, 1);
    const made = createRootKey(bytes);
    expect(bytes.equals(Buffer.alloc(32))).toBe(true);
    expect(made.fingerprint).toBe(rootKey.fingerprint);
    const purpose = { kind: 'api-key-rows' } as const;
    expect(rootKey.unwrap(made.newWrappedKey(purpose), purpose).symmetricKeySize).toBe(32);
  });

  test.each([0, 1, 16, 31, 33, 64])('of %i bytes is refused', (length) => {
    expect(() => createRootKey(Buffer.alloc(length, 1))).toThrow(RangeError);
  });
});

describe('a wrapped key', () => {
  test.each(PURPOSES)('unwraps to the same 32 bytes each time, for %j', (purpose) => {
    const wrapped = rootKey.newWrappedKey(purpose);
    const key = rootKey.unwrap(wrapped, purpose);
    expect(key.symmetricKeySize).toBe(32);
    expect(key.equals(rootKey.unwrap(wrapped, purpose))).toBe(true);
    expect(wrapped.length).toBe(1 + 12 + 32 + 16);
  });

  test.each(PURPOSES)('does not unwrap for another purpose than %j', (purpose) => {
    const wrapped = rootKey.newWrappedKey(purpose);
    for (const other of PURPOSES) {
      if (other !== purpose) expect(() => rootKey.unwrap(wrapped, other)).toThrow(SealBrokenError);
    }
  });

  test.each(PURPOSES)('does not unwrap with another root key, or with a byte changed, for %j', (purpose) => {
    const wrapped = rootKey.newWrappedKey(purpose);
    expect(() => otherRootKey.unwrap(wrapped, purpose)).toThrow(SealBrokenError);
    for (let index = 0; index < wrapped.length; index += 1) {
      expect(() => rootKey.unwrap(withFlipped(wrapped, index), purpose)).toThrow(SealBrokenError);
    }
  });

  test('is a new one each time, and never all zeros', () => {
    const purpose = { kind: 'data', accountId: 1, version: 1 } as const;
    const keys = Array.from({ length: 50 }, () => rootKey.unwrap(rootKey.newWrappedKey(purpose), purpose));
    expect(new Set(keys.map((key) => key.export().toString('hex'))).size).toBe(50);
    const zeros = createSecretKey(Buffer.alloc(32));
    for (const key of keys) expect(key.equals(zeros)).toBe(false);
  });
});
