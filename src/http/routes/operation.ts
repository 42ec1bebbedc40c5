// The options of an API route: what it needs, what the audit trail calls it, and its schemas, in one place for all.

import { type TSchema, Type } from '@sinclair/typebox';
import type { Right } from '../../domain/accounts.ts';
import type { AuditAction } from '../../domain/audit-events.ts';
import { Failure } from '../schemas/answer-envelope.ts';

interface OperationSchemas<
  Params extends TSchema,
  Body extends TSchema,
  Success extends TSchema,
  Query extends TSchema,
> {
  readonly summary: string;
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  /** Bodies of several types, in place of `body`. */
  readonly content?: { readonly content: Readonly<Record<string, { readonly schema: TSchema }>> };
  readonly success: Success;
  /** Answers carry an ETag; one that the client has is answered with 304. */
  readonly isConditional?: boolean;
  /** Failures that this route has beside those that any route has. */
  readonly failures?: readonly (404 | 422)[];
}

/** What any route can answer; the sentences of each code are in docs/errors.md. */
const COMMON_FAILURES = {
  400: 'The request is malformed, or carries two credentials.',
  401: 'The API key is missing, unknown, expired or revoked.',
  403: 'The API key may not write.',
  408: 'The request took too long to arrive.',
  413: 'The body is larger than 4 MiB.',
  414: 'The request line is too long.',
  415: 'The body is neither JSON nor a form, or is compressed.',
  429: 'Too many requests from this address had no working key; Retry-After says when to try again.',
  431: 'The request line and headers are larger than 16 KiB.',
  500: 'Something went wrong; the server log has more under the X-Request-Id.',
  503: 'The server is stopping or has too much to do, or its storage is out of reach; Retry-After says when to try again.',
  507: 'The disk of the server is full.',
} as const;
const OWN_FAILURES = {
  404: 'There is no such thing in this account.',
  422: 'Some fields need another value; `fields` says which and why.',
} as const;

const NOT_MODIFIED = { 304: Type.Null({ description: 'Nothing has changed since the answer with that ETag.' }) };

const TAGS: Readonly<Record<string, string>> = {
  list: 'Secret lists',
  value: 'Secret values',
  'user-data': 'cloud-init',
  instance: 'cloud-init',
  audit: 'Audit trail',
};

const WRITES_ONLY = new Set(['403']);
const BODY_ONLY = new Set(['413', '415']);

export function operation<
  Success extends TSchema,
  Params extends TSchema = TSchema,
  Body extends TSchema = TSchema,
  Query extends TSchema = TSchema,
>(action: AuditAction, right: Right, schemas: OperationSchemas<Params, Body, Success, Query>) {
  const { summary, params, query, body, content, success, isConditional = false, failures = [] } = schemas;
  const described: Record<string, string> = { ...COMMON_FAILURES };
  for (const status of failures) described[status] = OWN_FAILURES[status];
  const answers = Object.entries(described)
    .filter(([status]) => right === 'write' || !WRITES_ONLY.has(status))
    .filter(([status]) => right === 'write' || content !== undefined || !BODY_ONLY.has(status))
    .map(([status, description]) => [status, { ...Type.Unsafe(Type.Ref('Failure')), description }]);
  return {
    config: { action, right },
    schema: {
      summary,
      operationId: action,
      tags: [TAGS[action.split('.')[0] ?? '']],
      security: [{ key: [] }, { bearer: [] }],
      ...(params === undefined ? {} : { params }),
      ...(query === undefined ? {} : { querystring: query }),
      ...(body === undefined ? {} : { body, consumes: ['application/json', 'application/x-www-form-urlencoded'] }),
      ...(content === undefined ? {} : { body: content }),
      response: { 200: success, ...(isConditional ? NOT_MODIFIED : {}), ...Object.fromEntries(answers) },
    } as {
      summary: string;
      params: Params;
      querystring: Query;
      body: Body;
      response: { 200: Success };
    },
  };
}

/** To be known to Fastify before the routes are. */
export const SHARED_SCHEMAS = [Failure];
