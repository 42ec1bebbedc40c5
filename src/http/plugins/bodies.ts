// Bodies: JSON and forms, decoded strictly, so that what is stored is what was sent. An empty one has no fields.

import type { FastifyRequest } from 'fastify';
import { ApiError } from '../../domain/errors.ts';
import { MAX_JSON_DEPTH } from '../../domain/limits.ts';
import type { App } from '../app-types.ts';

type Fields = Record<string, unknown>;
type Decode = (text: string) => Fields;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A charset parameter changes nothing: both types are read as UTF-8. */
export function bodies(app: App): void {
  app.removeAllContentTypeParsers();
  addParser(app, 'application/json', decodeJson);
  addParser(app, 'application/x-www-form-urlencoded', decodeForm);
  addParser(app, '*', () => {
    throw new ApiError('unsupported_media_type');
  });

  // Without a body its type says nothing, not even that it is malformed.
  app.addHook('onRequest', ({ headers }, _reply, done) => {
    if (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0) {
      // Not deleted, which would make every later look at the headers slower.
      headers['content-type'] = undefined;
    }
    done();
  });

  app.addHook('preValidation', (request, _reply, done) => {
    request.body ??= {};
    done();
  });
}

function addParser(app: App, contentType: string, decode: Decode): void {
  app.addContentTypeParser(contentType, { parseAs: 'buffer' }, (request, body, done) => {
    try {
      done(null, decodeBody(request, body as Buffer, decode));
    } catch (error) {
      done(error as Error);
    }
  });
}

function decodeBody(request: FastifyRequest, body: Buffer, decode: Decode): Fields {
  if (body.length === 0) return {};
  refuseEncoded(request);
  return decode(decodeText(body));
}

/** Throws `unsupported_media_type` for a body that is compressed in transit. */
export function refuseEncoded({ headers }: FastifyRequest): void {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') throw new ApiError('unsupported_media_type');
}

function decodeText(body: Buffer): string {
  try {
    return utf8.decode(body);
  } catch {
    throw malformed('The body is not UTF-8.');
  }
}

function decodeJson(text: string): Fields {
  if (isNestedTooDeep(text)) throw malformed('The JSON is nested too deep.');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw malformed('The body is not valid JSON.');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw malformed('The body is JSON, but not an object.');
  }
  return parsed as Fields;
}

/** JSON.parse spends half a second on 4 MiB of brackets; this looks at each character once. */
function isNestedTooDeep(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i];
    if (character === '"') i = endOfString(text, i);
    else if (character === '[' || character === '{') depth += 1;
    else if (character === ']' || character === '}') depth -= 1;
    if (depth > MAX_JSON_DEPTH) return true;
  }
  return false;
}

function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i;
}

/** A field that is sent twice becomes an array, which no schema takes. Source: the URL Standard, section 5.1. */
function decodeForm(text: string): Fields {
  const fields: Fields = Object.create(null);
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decodeFormText(equals === -1 ? pair : pair.slice(0, equals));
    const value = equals === -1 ? '' : decodeFormText(pair.slice(equals + 1));
    fields[name] = name in fields ? [fields[name], value].flat() : value;
  }
  return fields;
}

/** Unlike the URL Standard, a percent sign that encodes nothing is refused: guessing would store another secret. */
function decodeFormText(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw malformed('The form has a percent sign that encodes nothing, or text that is not UTF-8.');
  }
}

function malformed(detail: string): ApiError {
  return new ApiError('malformed_body', { detail });
}
