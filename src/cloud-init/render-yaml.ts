// Cloud-config and its relatives: values become scalars, every byte outside the scalars that hold marks stays.

import { findUnusedCharacter, type MaskedText, maskRanges } from './masked-text.ts';
import type { RenderPass } from './render-pass.ts';
import { findExposure } from './secret-exposure.ts';
import type { SecretMark } from './secret-marks.ts';
import { applyEdits, type Edit, marksWithin, type SourceText } from './source-text.ts';
import { dropFinalNewline } from './yaml-block-writing.ts';
import { readYaml, type YamlProblem } from './yaml-reading.ts';
import { type CommentSlot, type ScalarSlot, walkScalars } from './yaml-scalars.ts';
import { type Filling, MAX_IMPLICIT_KEY, type ScalarWriting, writeScalar } from './yaml-writing.ts';

export interface YamlOptions {
  /** Strings must be quoted: the text is JSON. */
  readonly alwaysQuote?: boolean;
  /** Hides from the YAML parser what isn't YAML, without moving anything. */
  readonly hide?: (text: string) => string;
  /** Changes how a text that is put in is written, for a reader that comes before the YAML reader. */
  readonly escape?: (text: string) => string;
  /** What keeps a scalar from being written anew in another style, as a sentence. */
  readonly mustStay?: (slot: ScalarSlot) => string | undefined;
  /** Takes a scalar over altogether; undefined leaves it to the usual way. */
  readonly takeOver?: (
    slot: ScalarSlot,
    masked: MaskedText,
    marks: readonly SecretMark[],
  ) => readonly Edit[] | undefined;
}

const NOT_HERE = 'A reference can stand in a YAML key or value only, not in an anchor, alias, tag or directive.';
const IN_COLLECTION_KEY = 'A reference cannot stand in a list or map that is itself a key.';
const KEY_TOO_LONG = `With this value the key would be longer than ${MAX_IMPLICIT_KEY} characters, and YAML allows few more.`;

/** The text with its references replaced. Problems go to `pass`; with any, the text is of no use. */
export function renderYaml(source: SourceText, pass: RenderPass, options: YamlOptions = {}): string {
  if (source.marks.length === 0) return source.text;
  const masked = maskMarks(source, options.hide);
  if (masked === undefined) {
    pass.report(source.placeOf(0), 'This document uses every private-use character of Unicode; leave one free.');
    return source.text;
  }
  const { tokens, problems } = readYaml(masked.text);
  for (const problem of problems) reportUnread(source, pass, masked, problem);
  const unclaimed = new Set(source.marks);
  const edits: Edit[] = [];
  for (const { start, end, scalar } of slotsOf(tokens)) {
    const marks = marksWithin(source.marks, start, end);
    for (const mark of marks) unclaimed.delete(mark);
    if (scalar !== undefined && marks.length > 0)
      edits.push(...renderScalar(source, pass, masked, scalar, marks, options));
  }
  for (const mark of unclaimed) {
    pass.resolve(source, mark);
    if (tokens.length > 0) pass.report(source.placeOf(mark.start), NOT_HERE);
  }
  return pass.problems.length === 0 ? applyEdits(source.text, edits) : source.text;
}

function maskMarks(source: SourceText, hide = (text: string) => text): MaskedText | undefined {
  const character = findUnusedCharacter(source.text);
  if (character === undefined) return undefined;
  return { character, text: hide(maskRanges(source.text, source.marks, character)) };
}

/** A parser's message may quote the text, and so the words that stand for references. */
function reportUnread(source: SourceText, pass: RenderPass, masked: MaskedText, problem: YamlProblem): void {
  const words = new RegExp(`${masked.character}+`, 'g');
  pass.report(
    source.placeOf(problem.offset),
    problem.message.replace(words, () => '${{secret...}}'),
  );
}

function* slotsOf(tokens: Parameters<typeof walkScalars>[0]): Generator<CommentSlot & { scalar?: ScalarSlot }> {
  for (const slot of walkScalars(tokens)) {
    if ('comment' in slot) yield slot.comment;
    else yield { start: slot.scalar.start, end: slot.scalar.end, scalar: slot.scalar };
  }
}

function renderScalar(
  source: SourceText,
  pass: RenderPass,
  masked: MaskedText,
  slot: ScalarSlot,
  marks: readonly SecretMark[],
  options: YamlOptions,
): readonly Edit[] {
  const place = source.placeOf(marks[0]?.start ?? slot.start);
  if (slot.isInKey) pass.report(place, IN_COLLECTION_KEY);
  const taken = options.takeOver?.(slot, masked, marks);
  if (taken !== undefined) return taken;
  warnOfExposure(source, pass, slot, marks);
  const fillings = marks.map((mark) => fillingOf(source, pass, slot, mark));
  const writing = writeScalar(masked, slot, fillings, options.alwaysQuote ?? false);
  const reason = writing.isInPlace ? undefined : options.mustStay?.(slot);
  if (reason !== undefined) pass.report(place, reason);
  const edits = writing.edits.map((edit) => ({ ...edit, text: options.escape?.(edit.text) ?? edit.text }));
  if (slot.role === 'implicit-key' && lengthWith(slot, writing) > MAX_IMPLICIT_KEY) pass.report(place, KEY_TOO_LONG);
  return edits;
}

function fillingOf(source: SourceText, pass: RenderPass, slot: ScalarSlot, mark: SecretMark): Filling {
  const filling = { mark, text: pass.resolve(source, mark) };
  if (slot.token.type !== 'block-scalar') return filling;
  return { mark, text: dropFinalNewline(source.text, filling) };
}

function lengthWith(slot: ScalarSlot, { edits }: ScalarWriting): number {
  return edits.reduce((length, { start, end, text }) => length + text.length - (end - start), slot.end - slot.start);
}

function warnOfExposure(source: SourceText, pass: RenderPass, slot: ScalarSlot, marks: readonly SecretMark[]): void {
  for (const mark of marks) {
    const exposure = mark.kind === 'reference' ? findExposure(slot, mark) : undefined;
    if (exposure !== undefined) pass.warn(source.placeOf(mark.start), exposure);
  }
}
