// A sealed blob opens with its key and its associated data, and in no other way.

import { createCipheriv, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { open, SealBrokenError, seal } from '../../src/crypto/envelope.ts';
import { keyOf, withFlipped } from './known-keys.ts';

const KEY = keyOf(1);
const CONTEXT = Buffer.from('the place');
const PLAIN = Buffer.from('a secret of 25 characters');
const OVERHEAD_BYTES = 29;

function expectBroken(sealed: Uint8Array, key = KEY, context: Uint8Array = CONTEXT): void {
  expect(() => open(key, sealed, context)).toThrow(SealBrokenError);
}

describe('a sealed blob', () => {
  test('opens to what was sealed, whatever it is and wherever it belongs', () => {
    const bytes = fc.uint8Array({ maxLength: 200 });
    fc.assert(
      fc.property(bytes, bytes, (plain, context) => {
        expect(open(KEY, seal(KEY, plain, context), context).equals(plain)).toBe(true);
      }),
    );
  });

  test.each([0, 1, 16, 1_048_576])('of %i bytes opens, and is 29 bytes longer', (length) => {
    const plain = randomBytes(length);
    const sealed = seal(KEY, plain, CONTEXT);
    expect(sealed.length).toBe(length + OVERHEAD_BYTES);
    expect(open(KEY, sealed, CONTEXT).equals(plain)).toBe(true);
  });

  test('starts with its format and never has the same nonce again', () => {
    const blobs = Array.from({ length: 500 }, () => seal(KEY, PLAIN, CONTEXT));
    expect(new Set(blobs.map((blob) => blob[0]))).toEqual(new Set([0x01]));
    expect(new Set(blobs.map((blob) => blob.subarray(1, 13).toString('hex'))).size).toBe(500);
    expect(new Set(blobs.map((blob) => blob.subarray(13).toString('hex'))).size).toBe(500);
  });

  test('has nothing of the plain text in it', () => {
    expect(seal(KEY, Buffer.alloc(64, 'A'), CONTEXT).includes('AAAA')).toBe(false);
  });

  test('does not open with any one byte changed, in any way', () => {
    const sealed = seal(KEY, PLAIN, CONTEXT);
    for (let index = 0; index < sealed.length; index += 1) {
      for (const mask of [0x01, 0x80, 0xff, 0x10]) expectBroken(withFlipped(sealed, index, mask));
    }
  });

  test('does not open with any one bit changed', () => {
    const sealed = seal(KEY, Buffer.from('short'), CONTEXT);
    for (let bit = 0; bit < sealed.length * 8; bit += 1) expectBroken(withFlipped(sealed, bit >> 3, 1 << (bit & 7)));
  });

  test('does not open cut to any shorter length, at either end', () => {
    const sealed = seal(KEY, PLAIN, CONTEXT);
    for (let length = 0; length < sealed.length; length += 1) {
      expectBroken(sealed.subarray(0, length));
      expectBroken(sealed.subarray(sealed.length - length));
    }
  });

  test('does not open with bytes added, at any place', () => {
    const sealed = seal(KEY, PLAIN, CONTEXT);
    for (let at = 0; at <= sealed.length; at += 1) {
      for (const extra of [Buffer.alloc(1), Buffer.alloc(16)]) {
        expectBroken(Buffer.concat([sealed.subarray(0, at), extra, sealed.subarray(at)]));
      }
    }
  });

  test('does not open under any other format byte', () => {
    const sealed = seal(KEY, PLAIN, CONTEXT);
    for (let format = 0; format < 256; format += 1) {
      if (format === 0x01) continue;
      expectBroken(Buffer.concat([Buffer.from([format]), sealed.subarray(1)]));
    }
  });

  test.each([4, 8, 12, 13, 14, 15])('does not open with a genuine tag of %i bytes', (tagBytes) => {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', KEY, nonce, { authTagLength: tagBytes });
    cipher.setAAD(CONTEXT);
    const body = Buffer.concat([cipher.update(PLAIN), cipher.final()]);
    const blob = Buffer.concat([Buffer.from([0x01]), nonce, body, cipher.getAuthTag()]);
    expectBroken(blob);
    const shortest = Buffer.concat([Buffer.from([0x01]), nonce, cipher.getAuthTag()]);
    expectBroken(shortest);
  });

  test('does not open under another key, one bit off included', () => {
    const sealed = seal(KEY, PLAIN, CONTEXT);
    expectBroken(sealed, keyOf(2));
    expectBroken(sealed, keyOf(0));
    expectBroken(sealed, keyOf(0x81));
  });

  test('does not open in another place', () => {
    const sealed = seal(KEY, PLAIN, CONTEXT);
    const places = ['', 'the plac', 'the place ', 'the plAce', 'another', '\0the place'];
    for (const place of places) expectBroken(sealed, KEY, Buffer.from(place));
    expectBroken(seal(KEY, PLAIN, Buffer.alloc(0)), KEY, CONTEXT);
  });

  test('does not open when it was never sealed', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => expectBroken(bytes)));
    const startsRight = fc.uint8Array({ minLength: 28, maxLength: 100 }).map((bytes) => Buffer.from([0x01, ...bytes]));
    fc.assert(fc.property(startsRight, (bytes) => expectBroken(bytes)));
  });

  test('that is broken is told without anything of it', () => {
    const failure = new SealBrokenError();
    expect(failure.name).toBe('SealBrokenError');
    expect(failure.message).toBe('A sealed record does not open: it was changed, moved or sealed under another key.');
    expect(failure.cause).toBeUndefined();
  });
});

describe('sealing', () => {
  test('leaves what it was given as it is', () => {
    const plain = Buffer.from(PLAIN);
    const sealed = seal(KEY, plain, CONTEXT);
    const copy = Buffer.from(sealed);
    expect(plain.equals(PLAIN)).toBe(true);
    open(KEY, sealed, CONTEXT).fill(0);
    expect(sealed.equals(copy)).toBe(true);
  });

  test.each([16, 24, 31, 33])('refuses a key of %i bytes', (length) => {
    expect(() => seal(keyOf(1, length), PLAIN, CONTEXT)).toThrow();
  });
});
