// Fastify's types as this server uses them, and what it adds to a request and to a route.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { Right } from '../domain/accounts.ts';
import type { AuditAction } from '../domain/audit-events.ts';
import type { Caller } from '../services/caller.ts';

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

declare module 'fastify' {
  interface FastifyInstance {
    /** What is being handled right now. */
    readonly load: { readonly requests: number; readonly bodyBytes: number };
  }

  interface FastifyRequest {
    /** Who asks; null until authenticated, and outside of /api. */
    caller: Caller | null;
    /** The code of the error that answered this request; null when none did. */
    errorCode: string | null;
    /** Bytes of body that a counted request holds; negative for one that isn't counted, or no longer. */
    heldBytes: number;
  }

  interface FastifyContextConfig {
    /** What an API key must be allowed to; every route of /api says so. */
    right?: Right;
    /** What the audit trail calls it. */
    action?: AuditAction;
    /** Answered however busy the server is; also for what is sent without Fastify. */
    isUncounted?: boolean;
  }
}
