// How many requests are handled at the same time, and how many bytes of bodies they may hold. What is too much is
// answered with 503 before its body is read. Both are given back when the answer is ready, whoever still waits for it.

import type { FastifyRequest } from 'fastify';
import { ApiError } from '../../domain/errors.ts';
import { MAX_BODY_BYTES, type ServerBounds } from '../../domain/limits.ts';
import type { App } from '../app-types.ts';

const NOT_COUNTED = -1;
const WITHOUT_BODY: ReadonlySet<string> = new Set(['GET', 'HEAD', 'TRACE']);

/** To be registered before anything else that can hold a request up. */
export function loadBounds(app: App, bounds: Pick<ServerBounds, 'requestsInFlight' | 'bodyBytesInFlight'>): void {
  const load = { requests: 0, bodyBytes: 0 };
  app.decorate('load', load);
  app.decorateRequest('heldBytes', NOT_COUNTED);

  app.addHook('onRequest', (request, _reply, done) => {
    if (request.routeOptions.config.isUncounted === true) return done();
    if (load.requests >= bounds.requestsInFlight) return done(new ApiError('busy'));
    load.requests += 1;
    request.heldBytes = 0;
    done();
  });

  app.addHook('preParsing', (request, _reply, _payload, done) => {
    const bytes = bodyBytesOf(request);
    if (bytes === 0) return done();
    // Nobody there would look at the body.
    if (request.is404) return done(new ApiError('route_not_found'));
    if (load.bodyBytes + bytes > bounds.bodyBytesInFlight) return done(new ApiError('bodies_busy'));
    load.bodyBytes += bytes;
    request.heldBytes += bytes;
    done();
  });

  // An answer is made for a client that went away too. What is sent without Fastify must not be counted.
  app.addHook('onSend', (request, _reply, _payload, done) => {
    if (request.heldBytes !== NOT_COUNTED) {
      load.requests -= 1;
      load.bodyBytes -= request.heldBytes;
      request.heldBytes = NOT_COUNTED;
    }
    done();
  });
}

/** What a body may take of memory: a chunked one doesn't say, so it counts with the most it may be. */
function bodyBytesOf({ method, headers }: FastifyRequest): number {
  if (WITHOUT_BODY.has(method)) return 0;
  if (headers['transfer-encoding'] !== undefined) return MAX_BODY_BYTES;
  // More than the most is refused before a byte of it is kept.
  return Math.min(Number(headers['content-length'] ?? 0), MAX_BODY_BYTES);
}
