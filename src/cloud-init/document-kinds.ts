// What cloud-init takes a text for: its own rules (handlers.type_from_starts_with, user_data.convert_string) and no others.

import { Buffer } from 'node:buffer';
/** `text` is everything that cloud-init knows no rule for, and so does nothing with. */
export type DocumentKind =
  | 'script'
  | 'cloud-config'
  | 'cloud-config-archive'
  | 'cloud-config-jsonp'
  | 'include'
  | 'boothook'
  | 'part-handler'
  | 'jinja'
  | 'mime'
  | 'text';

/** Longer ones before what they start with, as cloud-init tries them. */
const BEGINNINGS: readonly (readonly [string, DocumentKind])[] = [
  ['#cloud-config-archive', 'cloud-config-archive'],
  ['#cloud-config-jsonp', 'cloud-config-jsonp'],
  ['## template: jinja', 'jinja'],
  ['#cloud-boothook', 'boothook'],
  ['#include-once', 'include'],
  ['#cloud-config', 'cloud-config'],
  ['#part-handler', 'part-handler'],
  ['#include', 'include'],
  ['#!', 'script'],
];

const CONTENT_TYPES: Readonly<Record<string, DocumentKind>> = {
  'text/cloud-config': 'cloud-config',
  'text/cloud-config-archive': 'cloud-config-archive',
  'text/cloud-config-jsonp': 'cloud-config-jsonp',
  'text/jinja2': 'jinja',
  'text/x-include-url': 'include',
  'text/x-include-once-url': 'include',
  'text/x-shellscript': 'script',
  'text/cloud-boothook': 'boothook',
  'text/part-handler': 'part-handler',
};

/** Parts of these types are looked at, because the type may be wrong. */
const LOOKED_AT = new Set(['text/plain', 'text/x-not-multipart', 'text/x-shellscript']);

/** Python's str.isspace, which differs from JavaScript's \s: U+FEFF is no blank, U+001C to U+001F and U+0085 are. */
export const PYTHON_BLANK =
  '\\t-\\r\\u001c-\\u0020\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const LEADING_BLANKS = new RegExp(`^[${PYTHON_BLANK}]*`);
const LONGEST_BEGINNING = 32;

const MIME_WINDOW_BYTES = 4_096;
/** What Python's email parser takes for a header's first line; anything else ends the headers. */
const HEADER_LINE = /^(?:From |[!-9;-~]*:|[\t ])/;

/** The kind by how a text begins; `text` when by nothing. */
export function kindOfBeginning(text: string): DocumentKind {
  const blanks = LEADING_BLANKS.exec(text)?.[0].length ?? 0;
  const beginning = text.slice(blanks, blanks + LONGEST_BEGINNING).toLowerCase();
  return BEGINNINGS.find(([start]) => beginning.startsWith(start))?.[1] ?? 'text';
}

/**
 * Drops a byte order mark in front of a known kind: it hides the kind from cloud-init, so that nothing would run and
 * nothing would say so.
 */
export function withoutHidingMark(text: string): string {
  return text.startsWith('\ufeff') && kindOfBeginning(text.slice(1)) !== 'text' ? text.slice(1) : text;
}

/** The kind of a document that isn't packed. */
export function kindOfDocument(text: string): DocumentKind {
  return namesMimeVersion(text) && HEADER_LINE.test(text) ? 'mime' : kindOfBeginning(text);
}

/** The kind of a MIME part or of a member of an archive by its declared type. */
export function kindOfPart(contentType: string, text: string): DocumentKind {
  const declared = CONTENT_TYPES[contentType] ?? 'text';
  if (!LOOKED_AT.has(contentType)) return declared;
  const seen = kindOfBeginning(text);
  return seen === 'text' ? declared : seen;
}

/** The kind of a member of an archive: its `type` is believed; without one its beginning decides. */
export function kindOfArchiveMember(type: string | undefined, text: string): DocumentKind {
  if (type !== undefined && type !== '') return CONTENT_TYPES[type] ?? 'text';
  const seen = kindOfBeginning(text);
  return seen === 'text' ? 'cloud-config' : seen;
}

/** Whether cloud-init hands the document to Python's email parser first, whatever it is. */
export function namesMimeVersion(text: string): boolean {
  // A character is a byte at least, so this much text holds all those bytes.
  const window = Buffer.from(text.slice(0, MIME_WINDOW_BYTES)).subarray(0, MIME_WINDOW_BYTES);
  return window.toString('latin1').toLowerCase().includes('mime-version:');
}
