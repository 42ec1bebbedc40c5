// Puts values into a YAML block scalar (| or >) where it can hold them, and turns it into one quoted line where not.

import { CST } from 'yaml';
import { MAX_RENDERED_BYTES } from '../domain/limits.ts';
import { applyEdits, type Edit } from './source-text.ts';
import { doubleQuoted, needsEscape } from './yaml-quoting.ts';
import { bodyStart } from './yaml-scalars.ts';
import type { Filling, ScalarWriting } from './yaml-writing.ts';

const REST_OF_LINE_IS_BLANK = /[ \t]*(?:\r?\n|$)/y;
const BLANK_LINES_BEFORE = /^(?:[ \t]*\r?\n)*( *)/;
const BEGINS_WITH_BLANK = /^\n*[ \t]/;
const FINAL_NEWLINE = /\r?\n$/;

/** A value that ends its line loses one final newline, as `$(cat file)` does: the line has its own. */
export function dropFinalNewline(text: string, filling: Filling): string {
  REST_OF_LINE_IS_BLANK.lastIndex = filling.mark.end;
  return REST_OF_LINE_IS_BLANK.test(text) ? filling.text.replace(FINAL_NEWLINE, '') : filling.text;
}

/** The edits that make the block scalar say `value`, which is its text with the fillings in. */
export function writeBlockScalar(token: CST.BlockScalar, fillings: readonly Filling[], value: string): ScalarWriting {
  const indent = indentOf(token);
  const texts = fillings.map((filling) => filling.text);
  if (canHold(token, indent, texts, value)) {
    const lineEnd = lineEndOf(token.source);
    const edits = fillings.map(({ mark, text: filling }) => ({
      start: mark.start,
      end: mark.end,
      text: indentLines(filling, indent, lineEnd),
    }));
    if (saysExactly(token, bodyWith(token, edits), value)) return { isInPlace: true, edits };
  }
  return { isInPlace: false, edits: quotedInstead(token, value) };
}

/** Makes a literal block scalar say a text that isn't its own any more, line by line; quoted where it can't. */
export function rewriteBlockScalar(token: CST.BlockScalar, value: string): readonly Edit[] {
  const indent = indentOf(token);
  const isLiteral = headerOf(token).startsWith('|');
  if (isLiteral && canHold(token, indent, [value], value)) {
    const lines = indentLines(trimEnd(value, '\n'), indent, lineEndOf(token.source));
    const body = ' '.repeat(indent) + lines + tailOf(token.source);
    const start = bodyStart(token);
    if (saysExactly(token, body, value)) return [{ start, end: start + token.source.length, text: body }];
  }
  return quotedInstead(token, value);
}

/** What is easy to see, or would take too much room; reading back decides on the rest. Quoting is always safe. */
function canHold(token: CST.BlockScalar, indent: number, texts: readonly string[], value: string): boolean {
  if (indent <= 0 || texts.some(needsEscape)) return false;
  const lines = trimEnd(value, '\n');
  if (trimEnd(lines.slice(lines.lastIndexOf('\n') + 1), ' \t') === '') return false;
  if (!hasExplicitIndent(token) && BEGINS_WITH_BLANK.test(value)) return false;
  if (value.split('\n').length * indent > MAX_RENDERED_BYTES) return false;
  return headerOf(token).startsWith('|') || texts.every(isOneWordInFold);
}

/** Folding changes line breaks and the blanks beside them. */
function isOneWordInFold(text: string): boolean {
  return text !== '' && !/\n|^[ \t]|[ \t]$/.test(text);
}

function indentLines(text: string, indent: number, lineEnd: string): string {
  return text.replace(/\n(?!\n)/g, `\n${' '.repeat(indent)}`).replaceAll('\n', lineEnd);
}

function bodyWith(token: CST.BlockScalar, edits: readonly Edit[]): string {
  const start = bodyStart(token);
  return applyEdits(
    token.source,
    edits.map((edit) => ({ ...edit, start: edit.start - start, end: edit.end - start })),
  );
}

function saysExactly(token: CST.BlockScalar, body: string, value: string): boolean {
  let isSound = true;
  const read = CST.resolveAsScalar({ ...token, source: body }, true, () => {
    isSound = false;
  });
  return isSound && read.value === value;
}

/** The quoted line takes the header's place; a comment behind the header and blank lines behind the block stay. */
function quotedInstead(token: CST.BlockScalar, value: string): Edit[] {
  const start = bodyStart(token);
  const end = start + token.source.length;
  const tail = tailOf(token.source);
  const ownLineEnd = /^\r?\n/.exec(tail)?.[0] ?? '';
  const header = headerOf(token);
  const quoted = { start: token.offset, end: token.offset + header.length, text: doubleQuoted(value) };
  const body = { start, end: end - tail.length + ownLineEnd.length, text: '' };
  return [quoted, body];
}

/** Blank lines behind the last line, with that line's own end. */
function tailOf(body: string): string {
  const rest = body.slice(trimEnd(body, ' \t\r\n').length);
  return rest.slice(/\r?\n/.exec(rest)?.index ?? rest.length);
}

/** Without the characters at its end that are among `trimmed`; a regular expression would try from each of them. */
function trimEnd(text: string, trimmed: string): string {
  let end = text.length;
  while (end > 0 && trimmed.includes(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

function headerOf(token: CST.BlockScalar): string {
  const header = token.props.find(({ type }) => type === 'block-scalar-header');
  return header !== undefined && 'source' in header ? header.source : '';
}

function explicitIndent(token: CST.BlockScalar): number {
  return Number(/\d/.exec(headerOf(token))?.[0] ?? 0);
}

function hasExplicitIndent(token: CST.BlockScalar): boolean {
  return explicitIndent(token) > 0;
}

/** Columns that the block's lines are indented by. */
function indentOf(token: CST.BlockScalar): number {
  if (hasExplicitIndent(token)) return Math.max(token.indent, 0) + explicitIndent(token);
  return BLANK_LINES_BEFORE.exec(token.source)?.[1]?.length ?? 0;
}

function lineEndOf(body: string): string {
  return /\r\n/.test(body) && !/(?<!\r)\n/.test(body) ? '\r\n' : '\n';
}
