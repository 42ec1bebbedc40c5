// What holds for each request before anything looks at it: one Host, a plain target of bounded length, a server that
// isn't stopping. Sets the headers that every answer has.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiError } from '../../domain/errors.ts';
import { MAX_URL_CHARACTERS } from '../../domain/limits.ts';
import type { App } from '../app-types.ts';
import { countHeader } from './raw-headers.ts';

/** Headers of every answer; the request's id is the third. */
export const COMMON_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;

export function setCommonHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.headers(COMMON_HEADERS).header('x-request-id', request.id);
}

export function requestRules(app: App, isStopping: () => boolean): void {
  app.addHook('onRequest', (request, reply, done) => {
    setCommonHeaders(request, reply);
    done(brokenRule(request, isStopping));
  });
}

function brokenRule({ raw }: FastifyRequest, isStopping: () => boolean): ApiError | undefined {
  if (isStopping()) return new ApiError('stopping');
  const hosts = countHeader(raw, 'host');
  if (raw.httpVersionMajor !== 1) return new ApiError('bad_request');
  if (hosts > 1 || (hosts === 0 && raw.httpVersion !== '1.0')) return new ApiError('invalid_host');
  const target = raw.url ?? '';
  if (!target.startsWith('/')) return new ApiError('invalid_url');
  if (target.length > MAX_URL_CHARACTERS) return new ApiError('uri_too_long');
  return undefined;
}
