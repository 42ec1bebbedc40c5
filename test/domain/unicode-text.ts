// Any well-formed text, for property tests. fast-check's own `unit: 'binary'` says the same, but takes two seconds to
// be made in each test file.

import fc from 'fast-check';

const codePoint = fc.oneof(
  fc.integer({ min: 0, max: 0xff }),
  fc.integer({ min: 0, max: 0xd7ff }),
  fc.integer({ min: 0xe000, max: 0x10ffff }),
);

/** Up to that many code points of all planes, control characters and noncharacters too. */
export function wellFormedText(maxLength = 20): fc.Arbitrary<string> {
  return fc.array(codePoint, { maxLength }).map((codePoints) => String.fromCodePoint(...codePoints));
}
