// Authentication and rights for everything in the scope it is registered in; a route without a declared right doesn't
// start. Runs before the body is read.

import type { FastifyRequest } from 'fastify';
import { ApiError } from '../../domain/errors.ts';
import type { AuthenticationService } from '../../services/authentication-service.ts';
import type { Caller } from '../../services/caller.ts';
import type { App } from '../app-types.ts';
import { countHeader } from './raw-headers.ts';

const BEARER = /^bearer +(\S+)$/i;

export function authenticate(app: App, authentication: AuthenticationService): void {
  app.addHook('onRoute', (route) => {
    if (route.config?.right === undefined) throw new Error(`the route ${route.method} ${route.url} declares no right`);
  });

  app.addHook('onRequest', async (request) => {
    const { id: apiKeyId, accountId, rights } = await authentication.authenticate(presentedToken(request));
    request.caller = { accountId, apiKeyId, rights, requestId: request.id, address: request.ip };
    if (request.is404) throw new ApiError('route_not_found');
    if (request.routeOptions.config.right === 'write' && rights !== 'write') throw new ApiError('forbidden');
  });
}

/** The caller of a request in an authenticated scope. */
export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null) throw new ApiError('unauthenticated');
  return request.caller;
}

/** The one token of a request; undefined when there is none or it isn't well formed. Throws `two_credentials`. */
function presentedToken(request: FastifyRequest): string | undefined {
  const { key } = request.query as { key?: string | string[] };
  const authorizations = countHeader(request.raw, 'authorization');
  if (authorizations + (key === undefined ? 0 : 1) > 1) throw new ApiError('two_credentials');
  if (key !== undefined) return typeof key === 'string' ? key : undefined;
  return BEARER.exec(request.headers.authorization ?? '')?.[1];
}
