// A sealed value opens for the record it was sealed for, and for no other.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SealBrokenError } from '../../src/crypto/envelope.ts';
import { openValue, sealValue, type ValueIdentity } from '../../src/crypto/value-seal.ts';
import { MAX_SECRET_VALUE_BYTES } from '../../src/domain/limits.ts';
import type { PlainValue, SealedValue } from '../../src/domain/secrets.ts';
import { anyText } from './any-text.ts';
import { keyOf, withFlipped } from './known-keys.ts';

const KEY = keyOf(1);
const IDENTITY: ValueIdentity = {
  accountId: 3,
  dataKeyVersion: 1,
  secretListId: 7,
  id: 12,
  secretKey: 'API_KEY',
  version: 2,
};

const plain = (text: string) => text as PlainValue;

function expectBroken(sealed: SealedValue, identity: ValueIdentity, key = KEY): void {
  expect(() => openValue(key, sealed, identity)).toThrow(SealBrokenError);
}

describe('a sealed value', () => {
  test('opens to the same text, to the byte', () => {
    const samples = [
      '',
      ' ',
      '\0',
      '\ufeffBOM',
      'a\r\nb\n',
      '\u2028',
      'e\u0301 \u00e9',
      '\u{1f600}',
      '"\\/\b$&$1{{ }}',
    ];
    for (const text of [...samples, 'x'.repeat(MAX_SECRET_VALUE_BYTES)]) {
      expect(openValue(KEY, sealValue(KEY, plain(text), IDENTITY), IDENTITY)).toBe(text);
    }
  });

  test('opens to the same text, whatever it is and whosever it is', () => {
    const identities = fc.record({
      accountId: fc.maxSafeNat(),
      dataKeyVersion: fc.maxSafeNat(),
      secretListId: fc.maxSafeNat(),
      id: fc.maxSafeNat(),
      secretKey: anyText(),
      version: fc.maxSafeNat(),
    });
    fc.assert(
      fc.property(anyText(), identities, (text, identity) => {
        expect(openValue(KEY, sealValue(KEY, plain(text), identity), identity)).toBe(text);
      }),
      { numRuns: 50 },
    );
  });

  const OTHERS: readonly Partial<ValueIdentity>[] = [
    { accountId: 4 },
    { dataKeyVersion: 2 },
    { secretListId: 8 },
    { id: 13 },
    { secretKey: 'API_KEY2' },
    { secretKey: 'api_key' },
    { secretKey: 'API_KEY ' },
    { secretKey: '' },
    { version: 1 },
    { version: 3 },
    { secretListId: 12, id: 7 },
    { accountId: 7, secretListId: 3 },
    { dataKeyVersion: 2, version: 1 },
  ];
  test.each(OTHERS)('does not open for a record with %j instead', (change) => {
    expectBroken(sealValue(KEY, plain('secret'), IDENTITY), { ...IDENTITY, ...change });
  });

  test('does not open under a key that differs in its form alone', () => {
    const sealed = sealValue(KEY, plain('secret'), { ...IDENTITY, secretKey: '\u00e9' });
    expectBroken(sealed, { ...IDENTITY, secretKey: 'e\u0301' });
  });

  test('does not open when any of its identity changes', () => {
    const sealed = sealValue(KEY, plain('secret'), IDENTITY);
    const numbers = fc.constantFrom('accountId', 'dataKeyVersion', 'secretListId', 'id', 'version');
    fc.assert(
      fc.property(numbers, fc.maxSafeNat(), (field, number) => {
        fc.pre(IDENTITY[field as 'id'] !== number);
        expectBroken(sealed, { ...IDENTITY, [field]: number });
      }),
    );
    fc.assert(
      fc.property(anyText(), (secretKey) => {
        fc.pre(secretKey !== IDENTITY.secretKey);
        expectBroken(sealed, { ...IDENTITY, secretKey });
      }),
    );
  });

  test('does not open in the place of another one, and the other not in its place', () => {
    const other = { ...IDENTITY, id: 13, secretKey: 'OTHER' };
    const ours = sealValue(KEY, plain('ours'), IDENTITY);
    const theirs = sealValue(KEY, plain('theirs'), other);
    expectBroken(theirs, IDENTITY);
    expectBroken(ours, other);
  });

  test('does not open as the version that replaced it', () => {
    const old = sealValue(KEY, plain('old'), IDENTITY);
    expectBroken(old, { ...IDENTITY, version: IDENTITY.version + 1 });
  });

  test("does not open under another account's key, or with a byte changed", () => {
    const sealed = sealValue(KEY, plain('secret'), IDENTITY);
    expectBroken(sealed, IDENTITY, keyOf(2));
    for (let index = 0; index < sealed.length; index += 1) {
      expectBroken(withFlipped(sealed, index) as Uint8Array as SealedValue, IDENTITY);
    }
  });
});
