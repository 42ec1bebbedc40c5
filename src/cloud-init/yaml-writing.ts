// Puts values into one YAML scalar: in place where its style can hold them, else as one line in double quotes.

import { CST } from 'yaml';
import { fillMasks, type MaskedText } from './masked-text.ts';
import type { SecretMark } from './secret-marks.ts';
import type { Edit } from './source-text.ts';
import { writeBlockScalar } from './yaml-block-writing.ts';
import { doubleQuoted, insideDoubleQuotes, isPlainSafe, needsEscape } from './yaml-quoting.ts';
import type { ScalarSlot } from './yaml-scalars.ts';

/** A mark with the text that goes in its place. */
export interface Filling {
  readonly mark: SecretMark;
  readonly text: string;
}

export interface ScalarWriting {
  readonly edits: readonly Edit[];
  /** Whether the scalar is still in the style its author gave it, every byte but the marks unchanged. */
  readonly isInPlace: boolean;
}

/** Longest key on one line. YAML allows 1,024 up to the colon; this leaves room for blanks before it. */
export const MAX_IMPLICIT_KEY = 1_000;

/** What a scalar says with its fillings in, as a reader of the masked text understands it. */
export function filledValue(masked: MaskedText, slot: ScalarSlot, fillings: readonly Filling[]): string {
  const parsed = CST.resolveAsScalar(slot.token, true, () => undefined).value;
  const marks = fillings.map(({ mark }) => mark);
  return fillMasks(parsed, masked.character, marks, (index) => fillings[index]?.text ?? '');
}

/** The edits that make `slot` say its text with the fillings in. `alwaysQuote` is for JSON, which knows no plain strings. */
export function writeScalar(
  masked: MaskedText,
  slot: ScalarSlot,
  fillings: readonly Filling[],
  alwaysQuote: boolean,
): ScalarWriting {
  const value = filledValue(masked, slot, fillings);
  if (slot.token.type === 'block-scalar') return writeBlockScalar(slot.token, fillings, value);
  const write = alwaysQuote && slot.token.type === 'scalar' ? undefined : inPlaceWriter(slot.token, fillings, value);
  if (write === undefined) {
    return { isInPlace: false, edits: [{ start: slot.start, end: slot.end, text: doubleQuoted(value) }] };
  }
  return {
    isInPlace: true,
    edits: fillings.map(({ mark, text }) => ({ start: mark.start, end: mark.end, text: write(text) })),
  };
}

/** How a value is written in the scalar's own style; undefined when that style can't hold it. */
function inPlaceWriter(
  token: CST.FlowScalar,
  fillings: readonly Filling[],
  whole: string,
): ((text: string) => string) | undefined {
  if (/[\r\n]/.test(token.source)) return undefined;
  const values = fillings.map(({ text }) => text);
  if (token.type === 'double-quoted-scalar') return insideDoubleQuotes;
  if (token.type === 'single-quoted-scalar') {
    if (values.some((value) => needsEscape(value) || value.includes('\n'))) return undefined;
    return (text) => text.replaceAll("'", "''");
  }
  return isPlainSafe(values, whole) ? (text) => text : undefined;
}
