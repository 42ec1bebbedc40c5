// MIME messages: each part is rendered by its kind. A part that changes is written as base64, so that no value can
// end its part, and no character is lost to cloud-init's reading of 8-bit text; all other bytes stay.

import { Buffer } from 'node:buffer';
import { kindOfPart, withoutHidingMark } from './document-kinds.ts';
import { decodeBody, type MimePart, readMime } from './mime-reading.ts';
import { gunzipWithin, gzip, isGzip } from './packing.ts';
import type { RenderByKind, RenderPass } from './render-pass.ts';
import { findMarks } from './secret-marks.ts';
import { applyEdits, createPlaceFinder, createSourceText, type Edit, type Place } from './source-text.ts';
import { decodeUtf8 } from './utf8.ts';

const PACKED_TYPES = new Set([
  'application/gzip',
  'application/gzip-compressed',
  'application/gzipped',
  'application/x-compress',
  'application/x-compressed',
  'application/x-gunzip',
  'application/x-gzip',
  'application/x-gzip-compressed',
]);
const MAX_ASCII = 0x7f;
const BASE64_LINE = /.{76}/g;
const MAYBE_REFERENCE = /\$\{\{[ \t]*secret\./;

const IN_HEADER = 'A reference cannot stand in the headers of a message or part.';
const IN_UNKNOWN_ENCODING = 'A reference cannot stand in a part of this transfer encoding.';
const IN_MESSAGE = 'A reference cannot stand in a message inside a message, nor in a multipart without a boundary.';
const NOT_UTF8 = 'This part has a reference in it and is not UTF-8.';
const NOT_GZIP = 'This part says it is compressed, but it cannot be unpacked, or is too large.';
const SPOILED =
  'cloud-init spoils characters beyond ASCII in a compressed part; leave the part uncompressed, or compress the whole.';
const CHANGES_KIND = 'With its values cloud-init would take this part for another kind of document.';

/** The message with the references of its parts replaced. `wrapper` names what it was packed in, for its places. */
export function renderMime(bytes: Buffer, wrapper: string | undefined, pass: RenderPass, render: RenderByKind): Buffer {
  const text = bytes.toString('latin1');
  const placeOf = createPlaceFinder(text, wrapper);
  const reading = readMime(text);
  if ('problem' in reading) {
    pass.report(placeOf(reading.offset), reading.problem);
    return bytes;
  }
  const edits: Edit[] = [];
  for (const part of partsOf(reading.message)) {
    for (const mark of findMarks(text.slice(part.start, part.bodyStart))) {
      pass.report(placeOf(part.start + mark.start), IN_HEADER);
    }
    if (part.children.length === 0) edits.push(...renderPart(text, part, pass, placeOf, render));
  }
  return edits.length === 0 ? bytes : Buffer.from(applyEdits(text, edits), 'latin1');
}

function* partsOf(part: MimePart): Generator<MimePart> {
  yield part;
  for (const child of part.children) yield* partsOf(child);
}

function renderPart(
  text: string,
  part: MimePart,
  pass: RenderPass,
  placeOf: (offset: number) => Place,
  render: RenderByKind,
): Edit[] {
  const refuse = (message: string): Edit[] => {
    pass.report(placeOf(part.bodyStart), message);
    return [];
  };
  const body = decodeBody(text, part);
  const raw = text.slice(part.bodyStart, part.bodyEnd);
  if (body === undefined) return MAYBE_REFERENCE.test(raw) ? refuse(IN_UNKNOWN_ENCODING) : [];
  const isPacked = PACKED_TYPES.has(part.contentType) && isGzip(body);
  const unpacked = isPacked ? gunzipWithin(body, pass) : body;
  if (unpacked === undefined) return refuse(NOT_GZIP);
  if (!MAYBE_REFERENCE.test(unpacked.toString('latin1'))) return [];
  if (/^(?:message|multipart)\//.test(part.contentType)) return refuse(IN_MESSAGE);
  const decoded = decodeUtf8(unpacked);
  if ('badOffset' in decoded) return refuse(NOT_UTF8);
  const contentType = isPacked ? 'text/plain' : part.contentType;
  const rendered = Buffer.from(renderDecoded(decoded.text, contentType, partName(part), pass, render));
  if (isPacked && rendered.some((byte) => byte > MAX_ASCII)) return refuse(SPOILED);
  return rewrite(text, part, isPacked ? gzip(rendered) : rendered);
}

function partName(part: MimePart): string {
  return part.number === '' ? 'the body of the message' : `part ${part.number}`;
}

function renderDecoded(
  decoded: string,
  contentType: string,
  name: string,
  pass: RenderPass,
  render: RenderByKind,
): string {
  const text = withoutHidingMark(decoded);
  const kind = kindOfPart(contentType, text);
  const source = createSourceText(text, kind, name);
  const rendered = render(source, pass);
  if (kindOfPart(contentType, rendered) !== kind) pass.report(source.placeOf(0), CHANGES_KIND);
  return rendered;
}

function rewrite(text: string, part: MimePart, body: Buffer): Edit[] {
  const lineEnd = /\r\n|\n/.exec(text.slice(part.start, part.bodyEnd))?.[0] ?? '\n';
  const header = `Content-Transfer-Encoding: base64${lineEnd}`;
  const old = part.headers.filter(({ name }) => name === 'content-transfer-encoding');
  const edits: Edit[] = old.map(({ start, end }) => ({ start, end, text: '' }));
  const encoded = body.toString('base64').replace(BASE64_LINE, (line) => line + lineEnd);
  const ending = part.bodyEnd === text.length ? lineEnd : '';
  edits.push({ start: part.headersEnd, end: part.bodyEnd, text: `${header}${lineEnd}${encoded}${ending}` });
  return edits;
}
