// Digits alone are an id; anything else is a name.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseReference } from '../../src/domain/references.ts';
import { wellFormedText } from './unicode-text.ts';

describe('a reference', () => {
  test('of digits alone is always an id, never a name', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9]{1,400}$/), (digits) => {
        const reference = parseReference(digits);
        expect(Object.keys(reference)).toEqual(['id']);
        const { id } = reference as { id: number };
        const isThere = BigInt(digits) <= BigInt(Number.MAX_SAFE_INTEGER);
        expect(BigInt(id)).toBe(isThere ? BigInt(digits) : 0n);
      }),
    );
  });

  test('of anything else is the name to the letter', () => {
    fc.assert(
      fc.property(wellFormedText(), (segment) => {
        fc.pre(!/^[0-9]+$/.test(segment));
        expect(parseReference(segment)).toEqual({ name: segment });
      }),
    );
  });

  test.each([
    ['0', 0],
    ['007', 7],
    ['9007199254740991', 9_007_199_254_740_991],
    ['9007199254740992', 0],
    ['9007199254740993', 0],
    ['9'.repeat(400), 0],
  ])('%s is the id %i', (digits, id) => {
    expect(parseReference(digits)).toEqual({ id });
  });

  test.each([
    '',
    ' ',
    '7 ',
    ' 7',
    '7\n',
    '-7',
    '+7',
    '7.0',
    '7e0',
    '0x7',
    '1_000',
    '٣',
    '７',
    '²',
    'Infinity',
    '__proto__',
  ])('"%s" is a name', (segment) => {
    expect(parseReference(segment)).toEqual({ name: segment });
  });
});
