// The envelope that every answer under /api comes in.

import { type Static, type TSchema, Type } from '@sinclair/typebox';
import type { FastifyReply } from 'fastify';

const Meta = Type.Array(Type.Never(), { description: 'Always empty.', examples: [[]] });

/** The schema of a success whose `data` is of the given schema. */
export function successOf<T extends TSchema>(data: T) {
  return Type.Object({
    result: Type.Literal('success'),
    message: Type.Null(),
    code: Type.Literal(200),
    data,
    meta: Meta,
  });
}

/** A success whose `data` is null. */
export const Done = successOf(Type.Null());

export const Failure = Type.Object(
  {
    result: Type.Literal('error'),
    message: Type.String({ description: 'One sentence for a person.' }),
    code: Type.Integer({ description: 'The HTTP status.' }),
    data: Type.Null(),
    meta: Meta,
    fields: Type.Optional(
      Type.Record(Type.String(), Type.Array(Type.String(), { minItems: 1 }), {
        description: 'On 422 only: what is wrong with which field.',
      }),
    ),
  },
  { $id: 'Failure' },
);
export type Failure = Static<typeof Failure>;

export const JSON_TYPE = 'application/json; charset=utf-8';
/** Up to here, making text of bytes costs less than sending headers and body apart. */
const MAX_BYTES_SENT_AS_TEXT = 64 * 1024;

/**
 * Bytes of JSON as a handler returns them; what they hold is for the route's schema to say. Node sends headers and text
 * in one piece, headers and bytes in two, which takes the kernel twice as long.
 */
export function sendJson(reply: FastifyReply, json: Buffer): never {
  reply.type(JSON_TYPE);
  return (json.length <= MAX_BYTES_SENT_AS_TEXT ? json.toString() : json) as never;
}

const OPENING = Buffer.from('{"result":"success","message":null,"code":200,"data":[');
const COMMA = Buffer.from(',');
const CLOSING = Buffer.from('],"meta":[]}');

/** A success whose `data` is an array, as the bytes that are sent; each piece is some of its items as JSON. */
export function successOfPieces(pieces: readonly Buffer[]): Buffer {
  return Buffer.concat([OPENING, ...pieces.flatMap((piece, i) => (i === 0 ? [piece] : [COMMA, piece])), CLOSING]);
}

export function success<T>(data: T) {
  return { result: 'success' as const, message: null, code: 200 as const, data, meta: [] as never[] };
}
