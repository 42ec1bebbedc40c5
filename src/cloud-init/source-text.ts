// One text on its way through the renderer: the document, or a part of it once decoded, with the marks in it.

import type { DocumentKind } from './document-kinds.ts';
import { findMarks, type SecretMark } from './secret-marks.ts';

/** A place in the document as sent; inside a MIME part or a packed document, in that part once decoded. */
export interface Place {
  /** Which part; undefined is the document itself. */
  readonly part: string | undefined;
  /** Counted from 1. */
  readonly line: number;
  /** In characters (Unicode code points), counted from 1. */
  readonly column: number;
}

export interface SourceText {
  readonly text: string;
  readonly kind: DocumentKind;
  readonly marks: readonly SecretMark[];
  /** Where an offset of `text` is for the person who wrote it. */
  placeOf(offset: number): Place;
}

/** Replaces the text between two offsets. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export function createSourceText(text: string, kind: DocumentKind, part: string | undefined): SourceText {
  return { text, kind, marks: findMarks(text), placeOf: createPlaceFinder(text, part) };
}

/** Places are cheapest to find in the order of the text: then no line is counted through twice. */
export function createPlaceFinder(text: string, part: string | undefined): (offset: number) => Place {
  let starts: number[] | undefined;
  let last = { line: 0, offset: 0, column: 1 };
  return (offset) => {
    starts ??= lineStarts(text);
    const line = lastAtMost(starts, offset);
    const isFurtherOn = line === last.line && offset >= last.offset;
    const from = isFurtherOn ? last : { offset: starts[line] ?? 0, column: 1 };
    last = { line, offset, column: from.column + countCharacters(text.slice(from.offset, offset)) };
    return { part, line: line + 1, column: last.column };
  };
}

/** The text with all edits made. They must not overlap and must be in the order of the text. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  const pieces: string[] = [];
  let at = 0;
  for (const edit of edits) {
    pieces.push(text.slice(at, edit.start), edit.text);
    at = edit.end;
  }
  pieces.push(text.slice(at));
  return pieces.join('');
}

/** The marks that start between two offsets; `marks` is in the order of the text. */
export function marksWithin<T extends { readonly start: number }>(
  marks: readonly T[],
  start: number,
  end: number,
): T[] {
  const first = lowerBound(marks, start);
  return marks.slice(first, lowerBound(marks, end));
}

function lowerBound(marks: readonly { readonly start: number }[], offset: number): number {
  let low = 0;
  let high = marks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((marks[middle]?.start ?? 0) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** The index of the last number that is at most `limit`; the first is taken to be. */
function lastAtMost(sorted: readonly number[], limit: number): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((sorted[middle] ?? 0) <= limit) low = middle;
    else high = middle - 1;
  }
  return low;
}

function countCharacters(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
