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
  interface FastifyRequest {
    /** Who asks; null until authenticated, and outside of /api. */
    caller: Caller | null;
    /** The code of the error that answered this request; null when none did. */
    errorCode: string | null;
  }

  interface FastifyContextConfig {
    /** What an API key must be allowed to; every route of /api says so. */
    right?: Right;
    /** What the audit trail calls it. */
    action?: AuditAction;
  }
}
