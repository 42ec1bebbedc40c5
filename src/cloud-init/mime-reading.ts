// Reads a MIME message into its parts as Python's email parser does, with offsets. Knows bytes as latin1 text, so
// that what isn't touched stays to the byte.

import { Buffer } from 'node:buffer';
import { MAX_MIME_DEPTH, MAX_MIME_PARTS } from '../domain/limits.ts';

export interface MimeHeader {
  /** In lower case. */
  readonly name: string;
  readonly value: string;
  readonly start: number;
  /** Behind its line end and its continuation lines. */
  readonly end: number;
}

export interface MimePart {
  /** `1`, `2.1`: the numbers of the multiparts on the way down; empty for the message itself. */
  readonly number: string;
  readonly headers: readonly MimeHeader[];
  readonly start: number;
  /** Behind the last header, before the blank line. */
  readonly headersEnd: number;
  readonly bodyStart: number;
  readonly bodyEnd: number;
  /** In lower case, without parameters. */
  readonly contentType: string;
  /** In lower case. */
  readonly encoding: string;
  /** Empty unless it is a multipart with a boundary. */
  readonly children: readonly MimePart[];
}

/** The message, or the sentence that says what is wrong with it and where. */
export type MimeReading = { readonly message: MimePart } | { readonly problem: string; readonly offset: number };

const HEADER_LINE = /(?:From |[!-9;-~]*:|[\t ])[^\r\n]*(?:\r\n|\r|\n|$)/y;
const BLANK_LINE = /\r\n|\r|\n/y;
const BOUNDARY_PARAMETER = /;\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/i;
const CONTENT_TYPE = /^\s*([^\s;/]+\/[^\s;/]+)\s*(?:;|$)/;
const REST_OF_BOUNDARY_LINE = /(--)?[ \t]*(?:\r\n|\r|\n|$)/y;

class MimeLimitError extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** `text` is the message's bytes as latin1. */
export function readMime(text: string): MimeReading {
  let count = 0;

  function readPart(number: string, start: number, end: number, depth: number): MimePart {
    count += 1;
    if (count > MAX_MIME_PARTS) throw new MimeLimitError(`This message has more than ${MAX_MIME_PARTS} parts.`, start);
    const { headers, headersEnd, bodyStart } = readHeaders(text, start, end);
    const declared = headerValue(headers, 'content-type') ?? 'text/plain';
    const contentType = CONTENT_TYPE.exec(declared)?.[1]?.toLowerCase() ?? 'text/plain';
    const encoding = (headerValue(headers, 'content-transfer-encoding') ?? '').trim().toLowerCase();
    const boundary = contentType.startsWith('multipart/') ? boundaryOf(declared) : undefined;
    const ranges = boundary === undefined ? [] : splitAt(text, boundary, bodyStart, end);
    if (ranges.length > 0 && depth >= MAX_MIME_DEPTH)
      throw new MimeLimitError('This message is nested too deeply.', start);
    const children = ranges.map((range, index) =>
      readPart(number === '' ? `${index + 1}` : `${number}.${index + 1}`, range.start, range.end, depth + 1),
    );
    return { number, headers, start, headersEnd, bodyStart, bodyEnd: end, contentType, encoding, children };
  }

  try {
    return { message: readPart('', 0, text.length, 0) };
  } catch (error) {
    if (!(error instanceof MimeLimitError)) throw error;
    return { problem: error.message, offset: error.offset };
  }
}

function readHeaders(text: string, start: number, end: number) {
  const headers: MimeHeader[] = [];
  let at = start;
  while (at < end) {
    HEADER_LINE.lastIndex = at;
    if (!HEADER_LINE.test(text)) break;
    const lineEnd = Math.min(HEADER_LINE.lastIndex, end);
    const line = text.slice(at, lineEnd);
    const last = headers.at(-1);
    if (/^[\t ]/.test(line) && last !== undefined) {
      headers[headers.length - 1] = { ...last, value: last.value + line.replace(/[\r\n]+$/, ''), end: lineEnd };
    } else {
      const colon = line.indexOf(':');
      const value = line.slice(colon + 1).replace(/[\r\n]+$/, '');
      headers.push({ name: line.slice(0, colon).toLowerCase(), value, start: at, end: lineEnd });
    }
    at = lineEnd;
  }
  BLANK_LINE.lastIndex = at;
  const bodyStart = at < end && BLANK_LINE.test(text) ? BLANK_LINE.lastIndex : at;
  return { headers, headersEnd: at, bodyStart: Math.min(bodyStart, end) };
}

function headerValue(headers: readonly MimeHeader[], name: string): string | undefined {
  return headers.find((header) => header.name === name)?.value;
}

function boundaryOf(contentType: string): string | undefined {
  const found = BOUNDARY_PARAMETER.exec(contentType);
  const boundary = (found?.[1]?.replace(/\\(.)/g, '$1') ?? found?.[2] ?? '').trimEnd();
  return boundary === '' ? undefined : boundary;
}

/** The ranges between the lines that hold the boundary; the line end before such a line belongs to it. */
function splitAt(text: string, boundary: string, start: number, end: number): { start: number; end: number }[] {
  const ranges: { start: number; end: number }[] = [];
  const separator = `--${boundary}`;
  let partStart: number | undefined;
  for (let at = text.indexOf(separator, start); at !== -1 && at < end; at = text.indexOf(separator, at + 1)) {
    if (at > start && text[at - 1] !== '\n' && text[at - 1] !== '\r') continue;
    REST_OF_BOUNDARY_LINE.lastIndex = at + separator.length;
    const rest = REST_OF_BOUNDARY_LINE.exec(text);
    if (rest === null) continue;
    if (partStart !== undefined) ranges.push({ start: partStart, end: Math.max(partStart, endBefore(text, at)) });
    partStart = rest[1] === undefined ? REST_OF_BOUNDARY_LINE.lastIndex : undefined;
    if (rest[1] !== undefined) return ranges;
  }
  if (partStart !== undefined) ranges.push({ start: Math.min(partStart, end), end });
  return ranges;
}

function endBefore(text: string, at: number): number {
  if (text[at - 1] === '\n') return text[at - 2] === '\r' ? at - 2 : at - 1;
  return text[at - 1] === '\r' ? at - 1 : at;
}

/** The bytes that a part carries; undefined in an encoding that isn't known. */
export function decodeBody(text: string, part: MimePart): Buffer | undefined {
  const body = text.slice(part.bodyStart, part.bodyEnd);
  switch (part.encoding) {
    case '':
    case '7bit':
    case '8bit':
    case 'binary':
      return Buffer.from(body, 'latin1');
    case 'base64':
      return Buffer.from(body, 'base64');
    case 'quoted-printable':
      return decodeQuotedPrintable(body);
    default:
      return undefined;
  }
}

function decodeQuotedPrintable(body: string): Buffer {
  const decoded = body.replace(/=(?:\r?\n|([0-9A-Fa-f]{2}))/g, (_match, hex?: string) =>
    hex === undefined ? '' : String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(decoded, 'latin1');
}
