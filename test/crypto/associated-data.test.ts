// How fields become bytes: no two different lists of fields may be alike.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeFields } from '../../src/crypto/associated-data.ts';
import { anyText } from './any-text.ts';

const FIELD = fc.oneof(anyText(), fc.maxSafeNat(), fc.uint8Array({ maxLength: 40 }), fc.constant(null));
type Field = string | number | Uint8Array | null;

/** In hexadecimal; written from docs/envelope.md. */
function encodedByTheDocumentation(field: Field): string {
  if (field === null) return 'ffffffff';
  const content =
    typeof field === 'number'
      ? BigInt(field).toString(16).padStart(16, '0')
      : Buffer.from(field as string).toString('hex');
  return (content.length / 2).toString(16).padStart(8, '0') + content;
}

describe('encoded fields', () => {
  test('are each a length in 4 bytes and the bytes themselves', () => {
    expect(encodeFields([]).toString('hex')).toBe('');
    expect(encodeFields(['']).toString('hex')).toBe('00000000');
    expect(encodeFields(['a\u00e9']).toString('hex')).toBe('0000000361c3a9');
    expect(encodeFields([258]).toString('hex')).toBe('000000080000000000000102');
    expect(encodeFields([Number.MAX_SAFE_INTEGER]).toString('hex')).toBe('00000008001fffffffffffff');
    expect(encodeFields([Buffer.from([1, 2])]).toString('hex')).toBe('000000020102');
    expect(encodeFields([null]).toString('hex')).toBe('ffffffff');
    expect(encodeFields(['a', 0, 'b']).toString('hex')).toBe('00000001610000000800000000000000000000000162');
  });

  test('of any content are what the documentation says', () => {
    fc.assert(
      fc.property(fc.array(FIELD), (fields) => {
        expect(encodeFields(fields).toString('hex')).toBe(fields.map(encodedByTheDocumentation).join(''));
      }),
    );
  });

  test('differ wherever the fields do', () => {
    fc.assert(
      fc.property(fc.array(FIELD, { maxLength: 5 }), fc.array(FIELD, { maxLength: 5 }), (one, other) => {
        const isAlike =
          one.length === other.length &&
          one.every((field, index) => {
            return encodedByTheDocumentation(field) === encodedByTheDocumentation(other[index] as Field);
          });
        expect(encodeFields(one).equals(encodeFields(other))).toBe(isAlike);
      }),
    );
  });

  test('differ when the same characters are split another way', () => {
    const splits = [['ab', 'c'], ['a', 'bc'], ['abc', ''], ['', 'abc'], ['abc'], ['abc', null], [null, 'abc']];
    expect(new Set(splits.map((fields) => encodeFields(fields).toString('hex'))).size).toBe(splits.length);
  });

  test.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('refuse %d, which is no id', (number) => {
    expect(() => encodeFields([number])).toThrow(RangeError);
  });
});
