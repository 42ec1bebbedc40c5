// User-data in, user-data out: the whole of this room. Pure, synchronous and bounded; says everything that is wrong
// with a document at once, and renders nothing of it then. No message ever holds a value.

import { Buffer } from 'node:buffer';
import {
  CLOUD_USER_DATA_BYTES,
  MAX_REFERENCES,
  MAX_RENDERED_BYTES,
  MAX_UNPACKED_BYTES,
  MAX_USER_DATA_BYTES,
} from '../domain/limits.ts';
import { type DocumentKind, kindOfDocument, namesMimeVersion, withoutHidingMark } from './document-kinds.ts';
import { wouldBeMangled } from './mime-lookalike.ts';
import { gunzipWithin, gzip, isGzip } from './packing.ts';
import { renderByKind } from './render-by-kind.ts';
import { renderMime } from './render-mime.ts';
import {
  createRenderPass,
  type Problem,
  type ReferenceUse,
  type RenderPass,
  STAND_IN,
  type ValueLookup,
} from './render-pass.ts';
import { renderText } from './render-text.ts';
import { createSourceText, type SourceText } from './source-text.ts';
import { decodeUtf8 } from './utf8.ts';

/** The rendered document, or everything that kept it from being rendered, in the order of the document. */
export type Rendering = { readonly bytes: Buffer } | { readonly problems: readonly Problem[] };

export interface UserDataCheck {
  /** Of a packed document, the kind of what is packed. */
  readonly kind: DocumentKind;
  readonly isPacked: boolean;
  readonly references: readonly ReferenceUse[];
  /** Each once, in the order of the document. */
  readonly missingKeys: readonly string[];
  /** Missing keys among them, once for each place. */
  readonly problems: readonly Problem[];
  /** Where a secret would be seen by others, and what else is better done otherwise. */
  readonly warnings: readonly Problem[];
  /** As sent. */
  readonly bytes: number;
  readonly fitsClouds: boolean;
}

const TOP = { part: undefined, line: 1, column: 1 } as const;
const UNPACKED = 'the unpacked document';
const MEBIBYTE = 1_048_576;
const CHANGES_KIND = 'With its values cloud-init would take this document for another kind.';
const IS_MANGLED =
  'This document names mime-version: in its first 4,096 bytes, so cloud-init would spoil its characters beyond ASCII.';

/**
 * Puts the values in. With `knownKind` the document is of that kind, whatever it begins with: network-config has no
 * header. `lookup` is called once for each reference; whatever it doesn't know is a problem.
 */
export function renderUserData(document: Uint8Array, lookup: ValueLookup, knownKind?: DocumentKind): Rendering {
  const pass = createRenderPass(lookup, 'apply', MAX_UNPACKED_BYTES);
  const { bytes } = renderDocument(document, pass, knownKind);
  return finish(bytes, pass);
}

/**
 * Puts the values in as plain text, whatever the document is: what the hosted service does. A value may then break
 * the YAML around it. Unknown keys are problems here too.
 */
export function renderAsPlainText(document: Uint8Array, lookup: ValueLookup): Rendering {
  const pass = createRenderPass(lookup, 'apply', 0);
  const source = readText(document, undefined, pass, () => 'text');
  return finish(source === undefined ? Buffer.alloc(0) : Buffer.from(renderText(source, pass)), pass);
}

/** Everything that can be said without values. `isKnown` tells whether there is a secret of a key. */
export function checkUserData(
  document: Uint8Array,
  isKnown: (key: string) => boolean,
  knownKind?: DocumentKind,
): UserDataCheck {
  const pass = createRenderPass((key) => (isKnown(key) ? STAND_IN : undefined), 'skip', MAX_UNPACKED_BYTES);
  const { kind, isPacked } = renderDocument(document, pass, knownKind);
  const keys = new Set(pass.uses.map(({ key }) => key));
  return {
    kind,
    isPacked,
    references: pass.uses,
    missingKeys: [...keys].filter((key) => !isKnown(key)),
    problems: inOrder(pass.problems),
    warnings: inOrder(pass.warnings),
    bytes: document.length,
    fitsClouds: document.length <= CLOUD_USER_DATA_BYTES,
  };
}

/** The references that rendering would replace, as far as the document can be read. */
export function listReferences(document: Uint8Array): readonly ReferenceUse[] {
  return checkUserData(document, () => true).references;
}

interface RenderedDocument {
  readonly bytes: Buffer;
  readonly kind: DocumentKind;
  readonly isPacked: boolean;
}

function renderDocument(document: Uint8Array, pass: RenderPass, knownKind?: DocumentKind): RenderedDocument {
  const kindOf = knownKind === undefined ? kindOfDocument : () => knownKind;
  const sent = Buffer.from(document.buffer, document.byteOffset, document.byteLength);
  if (sent.length > MAX_USER_DATA_BYTES) {
    pass.report(TOP, `The document is larger than ${MAX_USER_DATA_BYTES / MEBIBYTE} MiB.`);
    return { bytes: sent, kind: 'text', isPacked: false };
  }
  if (!isGzip(sent)) return { ...renderUnpacked(sent, undefined, pass, kindOf), isPacked: false };
  const unpacked = gunzipWithin(sent, pass);
  if (unpacked === undefined) {
    pass.report(TOP, 'The document begins like gzip, but it cannot be unpacked, or is too large.');
    return { bytes: sent, kind: 'text', isPacked: true };
  }
  const { bytes, kind } = renderUnpacked(unpacked, UNPACKED, pass, kindOf);
  return { bytes: bytes.equals(unpacked) ? sent : gzip(bytes), kind, isPacked: true };
}

function renderUnpacked(
  bytes: Buffer,
  wrapper: string | undefined,
  pass: RenderPass,
  kindOf: (text: string) => DocumentKind,
) {
  const source = readText(bytes, wrapper, pass, kindOf);
  if (source === undefined) return { bytes, kind: 'text' as const };
  const { kind } = source;
  if (kind === 'mime') return { bytes: renderMime(bytes, wrapper, pass, renderByKind), kind };
  const text = renderByKind(source, pass);
  if (source.marks.length > 0) {
    if (kindOf(text) !== kind) pass.report(source.placeOf(0), CHANGES_KIND);
    else if (wouldBeMangled(text)) pass.report(source.placeOf(0), IS_MANGLED);
  }
  return { bytes: Buffer.from(text), kind };
}

/** The document as text; undefined when it isn't, which is a problem only where it has references, or may have. */
function readText(
  bytes: Uint8Array,
  wrapper: string | undefined,
  pass: RenderPass,
  kindOf: (text: string) => DocumentKind,
): SourceText | undefined {
  const decoded = decodeUtf8(bytes);
  if ('badOffset' in decoded) {
    const source = createSourceText(Buffer.from(bytes).toString(), 'text', wrapper);
    // The parts of a message may be encoded: whether they have references can't be seen.
    const isOfConcern = source.marks.length > 0 || namesMimeVersion(source.text);
    if (isOfConcern) pass.report(source.placeOf(decoded.badOffset), 'This document is not UTF-8 text.');
    return undefined;
  }
  const text = withoutHidingMark(decoded.text);
  const source = createSourceText(text, kindOf(text), wrapper);
  if (source.marks.length <= MAX_REFERENCES) return source;
  pass.report(TOP, `The document has more than ${MAX_REFERENCES} references.`);
  return undefined;
}

function finish(bytes: Buffer, pass: RenderPass): Rendering {
  if (pass.problems.length === 0 && bytes.length > MAX_RENDERED_BYTES) {
    pass.report(TOP, `The rendered document is larger than ${MAX_RENDERED_BYTES / MEBIBYTE} MiB.`);
  }
  return pass.problems.length === 0 ? { bytes } : { problems: inOrder(pass.problems) };
}

/** By part, in the order the parts were read, then by place. */
function inOrder(problems: readonly Problem[]): Problem[] {
  const parts = [...new Set(problems.map(({ part }) => part))];
  const orderOf = new Map(parts.map((part, index) => [part, index]));
  const partOf = (problem: Problem) => orderOf.get(problem.part) ?? 0;
  return problems.toSorted((a, b) => partOf(a) - partOf(b) || a.line - b.line || a.column - b.column);
}
