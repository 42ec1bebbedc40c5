// Any well-formed text. fast-check's own unit 'binary' takes a second to make; this one takes none.

import fc from 'fast-check';

const LAST_BEFORE_SURROGATES = 0xd7ff;
const FIRST_AFTER_SURROGATES = 0xe000;

const character = fc
  .oneof(
    fc.integer({ min: 0, max: 0x7f }),
    fc.integer({ min: 0x80, max: LAST_BEFORE_SURROGATES }),
    fc.integer({ min: FIRST_AFTER_SURROGATES, max: 0xffff }),
    fc.integer({ min: 0x10000, max: 0x10ffff }),
  )
  .map((codePoint) => String.fromCodePoint(codePoint));

/** Lengths in characters, which are code points. */
export function anyText(lengths: { minLength?: number; maxLength?: number } = {}): fc.Arbitrary<string> {
  return fc.array(character, lengths).map((characters) => characters.join(''));
}
