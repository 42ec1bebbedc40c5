// Hides the marks of a text from a parser: each becomes a word of the same length, so that every offset stays true.

import type { SecretMark } from './secret-marks.ts';
import { applyEdits } from './source-text.ts';

export interface MaskedText {
  readonly text: string;
  /** The character that the words are made of; the text has it nowhere else. */
  readonly character: string;
}

const FIRST_PRIVATE_USE = 0xe000;
const LAST_PRIVATE_USE = 0xf8ff;

/** A private-use character that `text` doesn't have, nor is one of `taken`; undefined when it has them all. */
export function findUnusedCharacter(text: string, ...taken: string[]): string | undefined {
  for (let code = FIRST_PRIVATE_USE; code <= LAST_PRIVATE_USE; code += 1) {
    const character = String.fromCharCode(code);
    if (!text.includes(character) && !taken.includes(character)) return character;
  }
  return undefined;
}

/** Each range becomes a word of `character`. */
export function maskRanges(
  text: string,
  ranges: readonly { readonly start: number; readonly end: number }[],
  character: string,
): string {
  return applyEdits(
    text,
    ranges.map(({ start, end }) => ({ start, end, text: character.repeat(end - start) })),
  );
}

/**
 * Puts texts in the place of masked words. `parsed` is what a parser made of a stretch that holds exactly `marks`:
 * it may have changed what is around the words, never the words or their order.
 */
export function fillMasks(
  parsed: string,
  character: string,
  marks: readonly SecretMark[],
  textOf: (index: number, at: number) => string,
): string {
  let filled = '';
  let at = 0;
  marks.forEach((mark, index) => {
    const start = parsed.indexOf(character, at);
    filled += parsed.slice(at, start);
    filled += textOf(index, filled.length);
    at = start + mark.end - mark.start;
  });
  return filled + parsed.slice(at);
}
