// The text of an API key: its shape, and the typing errors that its checksum notices.

import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { generateToken, isTokenWellFormed, tokenHint } from '../../src/crypto/api-key-token.ts';
import { anyText } from './any-text.ts';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const ALPHABET = [...BASE62, '_', '-'];
const PREFIX_LENGTH = 4;

function replaceAt(text: string, index: number, character: string): string {
  return text.slice(0, index) + character + text.slice(index + 1);
}

/** CRC-32 in base 62, most significant digit first. */
function checksumOf(body: string): string {
  const crc = crc32(body);
  return [5, 4, 3, 2, 1, 0].map((power) => BASE62[Math.floor(crc / 62 ** power) % 62]).join('');
}

describe('a generated token', () => {
  test('is smk_, 43 and 6 characters of letters and digits', () => {
    for (let i = 0; i < 200; i += 1) {
      const token = generateToken();
      expect(token).toMatch(/^smk_[0-9A-Za-z]{43}[0-9A-Za-z]{6}$/);
      expect(isTokenWellFormed(token)).toBe(true);
    }
  });

  test('is another one each time, and uses its whole range', () => {
    const tokens = Array.from({ length: 500 }, generateToken);
    expect(new Set(tokens).size).toBe(500);
    // The first character of the 43 says little: 256 bits fill only part of its range.
    for (const index of [5, 20, 46]) {
      const seen = new Set(tokens.map((token) => token[index]));
      expect(seen.size).toBeGreaterThan(50);
    }
  });

  test('is no longer well formed with any one character of it changed', () => {
    const token = generateToken();
    for (let index = PREFIX_LENGTH; index < token.length; index += 1) {
      for (const character of ALPHABET) {
        if (character === token[index]) continue;
        expect(isTokenWellFormed(replaceAt(token, index, character))).toBe(false);
      }
    }
  });

  test('is no longer well formed with two neighbours exchanged, one character left out or one added', () => {
    const token = generateToken();
    for (let index = PREFIX_LENGTH; index < token.length; index += 1) {
      const exchanged = token.slice(0, index) + token[index + 1] + token[index] + token.slice(index + 2);
      if (index + 1 < token.length && exchanged !== token) expect(isTokenWellFormed(exchanged)).toBe(false);
      expect(isTokenWellFormed(token.slice(0, index) + token.slice(index + 1))).toBe(false);
      expect(isTokenWellFormed(`${token.slice(0, index)}A${token.slice(index)}`)).toBe(false);
    }
  });

  test('of another length is not well formed, whatever its checksum', () => {
    for (const length of [22, 42, 44, 118]) {
      const body = 'A'.repeat(length);
      expect(isTokenWellFormed(`smk_${body}${checksumOf(body)}`)).toBe(false);
    }
    const body = 'A'.repeat(43);
    expect(isTokenWellFormed(`smk_${body}${checksumOf(body)}`)).toBe(true);
  });

  test('is recognised by its first ten characters, which leave 37 of 43 unsaid', () => {
    const token = generateToken();
    expect(tokenHint(token)).toBe(token.slice(0, 10));
  });

  test.each([
    ['smk_00000000000000000000000000000000000000000002CZclj', true],
    ['smk_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg37cCQ0', true],
    ['smk_00000000000000000000000000000000000000000002CZclk', false],
    ['smk_00000000000000000000000000000000000000000000000000', false],
  ])('%s is well formed: %s', (token, isWellFormed) => {
    expect(isTokenWellFormed(token)).toBe(isWellFormed);
  });
});

describe('a token that a person chose', () => {
  test.each([
    ['x'.repeat(31), false],
    ['x'.repeat(32), true],
    ['x'.repeat(128), true],
    ['x'.repeat(129), false],
    ['', false],
    ['A-Za-z0-9_-A-Za-z0-9_-A-Za-z0-9_-', true],
    ['SMK_'.padEnd(53, 'x'), true],
    ['smk-'.padEnd(53, 'x'), true],
    ['smk_'.padEnd(32, 'x'), false],
    ['smk_'.padEnd(53, 'x'), false],
    ['smk_'.padEnd(128, 'x'), false],
    [`${'x'.repeat(32)}\n`, false],
    [`\n${'x'.repeat(32)}`, false],
    [`${'x'.repeat(32)} `, false],
    ['x'.repeat(32).replace('x', 'é'), false],
    ['x'.repeat(32).replace('x', '\0'), false],
    ['x'.repeat(32).replace('x', '.'), false],
    ['x'.repeat(32).replace('x', '+'), false],
  ])('%j is well formed: %s', (token, isWellFormed) => {
    expect(isTokenWellFormed(token)).toBe(isWellFormed);
  });

  test('shows nothing of itself as a hint', () => {
    for (const token of ['x'.repeat(32), 'SMK_'.padEnd(53, 'x')]) expect(tokenHint(token)).toBeNull();
  });

  test('is well formed exactly when it is 32 to 128 characters of the alphabet', () => {
    const characters = fc.string({ unit: fc.constantFrom(...ALPHABET), minLength: 0, maxLength: 140 });
    fc.assert(
      fc.property(characters, (token) => {
        fc.pre(!token.startsWith('smk_'));
        expect(isTokenWellFormed(token)).toBe(token.length >= 32 && token.length <= 128);
      }),
    );
    fc.assert(
      fc.property(anyText({ minLength: 32, maxLength: 128 }), (token) => {
        expect(isTokenWellFormed(token)).toBe(/^(?!smk_)[A-Za-z0-9_-]{32,128}$/.test(token));
      }),
    );
  });
});
