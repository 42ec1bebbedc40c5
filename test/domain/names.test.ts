// The rules for names, keys and values, over all of Unicode.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Checked,
  checkListName,
  checkOperatorLabel,
  checkSecretKey,
  checkSecretValue,
} from '../../src/domain/names.ts';
import { wellFormedText } from './unicode-text.ts';

const LABELS: [string, (text: string) => Checked, number][] = [
  ['a list name', checkListName, 255],
  ['a secret key', checkSecretKey, 255],
  ["an account's or API key's name", checkOperatorLabel, 100],
];

const CONTROLS = [...Array(0x20).keys(), ...Array.from({ length: 0x21 }, (_, i) => 0x7f + i)];
const wellFormed = wellFormedText(300);

function isProblem(checked: Checked): boolean {
  return 'problem' in checked;
}

describe.each(LABELS)('%s', (_, check, max) => {
  test(`has 1 to ${max} code points, however many bytes or UTF-16 units they take`, () => {
    for (const character of ['x', 'é', '語', '🔑']) {
      expect(check(character)).toEqual({ text: character });
      expect(check(character.repeat(max))).toEqual({ text: character.repeat(max) });
      expect(isProblem(check(character.repeat(max + 1)))).toBe(true);
    }
    expect(isProblem(check(''))).toBe(true);
  });

  test('is counted after trimming', () => {
    expect(check(` \t\r\n${'x'.repeat(max)}\u00a0\ufeff\u3000`)).toEqual({ text: 'x'.repeat(max) });
    expect(isProblem(check(' '.repeat(max)))).toBe(true);
  });

  test('has no control character', () => {
    expect(CONTROLS).toHaveLength(65);
    for (const code of CONTROLS)
      expect([code, isProblem(check(`a${String.fromCodePoint(code)}b`))]).toEqual([code, true]);
  });

  test('may have anything else that is well-formed', () => {
    for (const text of [
      '\u202e',
      'a\u200db',
      '\u00ad',
      '\uffff',
      '\u{10ffff}',
      'null',
      '__proto__',
      '../..',
      "'; --",
    ]) {
      expect(check(text)).toEqual({ text });
    }
  });

  test('has no half of a surrogate pair, at its ends neither', () => {
    for (const text of ['\ud800', 'a\udc00b', '\udd11\ud83d', 'a\ud83d', '\udd11a'])
      expect(isProblem(check(text))).toBe(true);
  });

  test('is accepted as it was stored, again and again', () => {
    fc.assert(
      fc.property(wellFormed, (text) => {
        const checked = check(text);
        fc.pre('text' in checked);
        expect(check(checked.text)).toEqual(checked);
      }),
    );
  });

  test('is its text without blanks at the ends, or one sentence that repeats nothing of it', () => {
    const canary = 'canary-5f1d';
    fc.assert(
      fc.property(
        fc.oneof(
          wellFormed,
          wellFormedText().map((text) => `${text}${canary}\ud800`),
        ),
        (text) => {
          const checked = check(text);
          if ('text' in checked) expect(checked.text).toBe(text.trim());
          else {
            expect(checked.problem).toMatch(/^[A-Z].*\.$/);
            expect(checked.problem).not.toContain(canary);
            expect(checked.problem).not.toMatch(/must be a valid|could not be found/i);
          }
        },
      ),
    );
  });
});

describe('a secret key', () => {
  test.each(['{', '}', '|', 'a{', '}b', 'a|b'])('has none of the characters of a reference: %s', (key) => {
    expect(isProblem(checkSecretKey(key))).toBe(true);
  });

  test('may have a space in it, as the reference does', () => {
    expect(checkSecretKey('new key')).toEqual({ text: 'new key' });
  });
});

describe('a secret value', () => {
  test('is kept as it is, whatever well-formed text it is', () => {
    fc.assert(
      fc.property(wellFormed, (text) => {
        expect(checkSecretValue(text)).toEqual({ text });
      }),
    );
  });

  test('may be empty, blank or full of control characters', () => {
    for (const text of ['', ' ', '\u0000', '\ufeff', String.fromCodePoint(...CONTROLS)]) {
      expect(checkSecretValue(text)).toEqual({ text });
    }
  });

  test('has 1,048,576 bytes of UTF-8 at most', () => {
    for (const [character, bytes] of [
      ['x', 1],
      ['é', 2],
      ['🔑', 4],
    ] as const) {
      const longest = character.repeat(1_048_576 / bytes);
      expect(checkSecretValue(longest)).toEqual({ text: longest });
      expect(isProblem(checkSecretValue(`${longest}x`))).toBe(true);
    }
    expect(isProblem(checkSecretValue('語'.repeat(349_526)))).toBe(true);
    expect(isProblem(checkSecretValue('語'.repeat(349_525)))).toBe(false);
  });

  test('has no half of a surrogate pair', () => {
    for (const text of ['\ud800', 'a\udfffb', '\udd11\ud83d']) expect(isProblem(checkSecretValue(text))).toBe(true);
  });
});
