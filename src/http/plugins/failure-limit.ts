// 429 in place of the refusal of a key, for addresses that were refused too often. A key that works never comes here.

import type { FastifyRequest } from 'fastify';
import { ApiError, type ErrorCode } from '../../domain/errors.ts';
import type { FailuresService } from '../../services/failures-service.ts';

/** What anybody without a key can have as often as he likes. */
const COUNTED: ReadonlySet<ErrorCode> = new Set(['unauthenticated', 'two_credentials']);

/** For the error handler of a scope with authentication. */
export function limitFailures(failures: FailuresService): (error: unknown, request: FastifyRequest) => unknown {
  return (error, { ip }) =>
    error instanceof ApiError && COUNTED.has(error.code) ? failures.refusal(error.code, ip) : error;
}
