// Every failure becomes the envelope with a sentence of ours. What isn't known is a 500 with fixed text.

import type { FastifyError, FastifyReply, FastifyRequest, FastifySchemaValidationError } from 'fastify';
import { ApiError, type ErrorCode, type FieldProblems, invalidFields } from '../../domain/errors.ts';
import type { Logger } from '../../logger.ts';
import type { App } from '../app-types.ts';
import { type Failure, JSON_TYPE } from '../schemas/answer-envelope.ts';

const RETRY_AFTER_SECONDS = '1';

const FASTIFY_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_BAD_URL: 'invalid_url',
  FST_ERR_MAX_PARAM_LENGTH: 'uri_too_long',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformed_body',
};

/** `refine` may put another error in the place of the one that was thrown. */
export function errorHandler(
  app: App,
  logger: Logger,
  refine: (error: unknown, request: FastifyRequest) => unknown = (error) => error,
): void {
  app.setErrorHandler((error, request, reply) => answerError(refine(error, request), request, reply, logger));
  app.setNotFoundHandler(() => {
    throw new ApiError('route_not_found');
  });
}

/** Answers any thrown thing; also for what Fastify throws before a route is found. */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply, logger: Logger): void {
  const known = toApiError(error);
  request.errorCode = known.code;
  if (known.code === 'internal') {
    const about = { requestId: request.id, route: request.routeOptions.url };
    if ((error as Error).name === 'SealBrokenError') logger.error(about, 'ALARM: a sealed record does not open');
    logger.error({ err: error, ...about }, 'request failed');
  } else if (known.cause !== undefined) {
    logger.warn({ err: known.cause, requestId: request.id, code: known.code }, 'request could not be served');
  }
  // Who breaks these rules may be speaking another protocol on the rest of the connection.
  if (known.code === 'invalid_host' || known.code === 'invalid_url') reply.header('connection', 'close');
  if (known.status === 401) reply.header('www-authenticate', 'Bearer');
  if (known.status === 429 || known.status === 503) reply.header('retry-after', RETRY_AFTER_SECONDS);
  reply.code(known.status).type(JSON_TYPE).send(failure(known));
}

export function failure(error: ApiError): Failure {
  const answer = { result: 'error' as const, message: error.message, code: error.status, data: null, meta: [] };
  return error.fields === undefined ? answer : { ...answer, fields: error.fields };
}

function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const { validation, code, statusCode } = error as Partial<FastifyError>;
  if (validation !== undefined) return invalidFields(fieldProblems(validation));
  const known = FASTIFY_CODES[code ?? ''];
  if (known !== undefined) return new ApiError(known);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return new ApiError('bad_request');
  return new ApiError('internal');
}

function fieldProblems(validation: readonly FastifySchemaValidationError[]): FieldProblems {
  const problems: FieldProblems = {};
  for (const { keyword, instancePath, params } of validation) {
    const missing = keyword === 'required' ? String(params['missingProperty']) : undefined;
    const field = missing ?? (instancePath.slice(1) || 'body');
    const problem = missing === undefined ? `Send ${field} once, as text.` : `The field ${field} is required.`;
    problems[field] = [problem];
  }
  return problems;
}
