// Finds `${{secret.KEY}}` in a text: references, escapes and openings that are neither. Knows no values.

import { MAX_REFERENCES } from '../domain/limits.ts';
import { checkSecretKey } from '../domain/names.ts';

interface Range {
  readonly start: number;
  readonly end: number;
}

export interface ReferenceMark extends Range {
  readonly kind: 'reference';
  readonly key: string;
  /** As written; whether there is such a filter is for others to say. */
  readonly filter: string | undefined;
}

/** `$${{secret.KEY}}`, which stands for the text of the reference itself. */
export interface EscapeMark extends Range {
  readonly kind: 'escape';
  readonly text: string;
}

export interface MalformedMark extends Range {
  readonly kind: 'malformed';
  readonly problem: string;
}

/** A place in a text that means something to us, as a range of UTF-16 offsets. Never has a line break in it. */
export type SecretMark = ReferenceMark | EscapeMark | MalformedMark;

const OPENING = /\$?\$\{\{[ \t]*secret\./g;
const REST = /([^{}|\r\n]*)(?:\|([^{}|\r\n]*))?\}\}/y;
const LEADING_BLANKS = /^[ \t]+/;
const NOT_CLOSED =
  'This reference cannot be read: write ${{secret.KEY}} or ${{secret.KEY | FILTER}}, or $${{secret. for the text itself.';

/** All marks in the order of the text; one more than MAX_REFERENCES at most. */
export function findMarks(text: string): SecretMark[] {
  const marks: SecretMark[] = [];
  OPENING.lastIndex = 0;
  for (let opening = OPENING.exec(text); opening !== null; opening = OPENING.exec(text)) {
    const mark = readMark(text, opening.index, opening[0]);
    marks.push(mark);
    if (marks.length > MAX_REFERENCES) break;
    OPENING.lastIndex = mark.end;
  }
  return marks;
}

function readMark(text: string, start: number, opening: string): SecretMark {
  REST.lastIndex = start + opening.length;
  const rest = REST.exec(text);
  const end = rest === null ? start + opening.length : REST.lastIndex;
  if (opening.startsWith('$$')) return { kind: 'escape', start, end, text: text.slice(start + 1, end) };
  if (rest === null) return { kind: 'malformed', start, end, problem: NOT_CLOSED };
  const key = trimEnd(rest[1] ?? '');
  const checked = checkSecretKey(key);
  if ('problem' in checked) return { kind: 'malformed', start, end, problem: checked.problem };
  if (checked.text !== key) {
    return {
      kind: 'malformed',
      start,
      end,
      problem: 'The secret key of this reference has a blank at its start or end.',
    };
  }
  return { kind: 'reference', start, end, key, filter: trimBlanks(rest[2]) };
}

function trimBlanks(text: string | undefined): string | undefined {
  return text === undefined ? undefined : trimEnd(text.replace(LEADING_BLANKS, ''));
}

/** A regular expression would try from each blank of a long row. */
function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === ' ' || text[end - 1] === '\t')) end -= 1;
  return text.slice(0, end);
}
