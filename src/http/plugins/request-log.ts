// One line for each answered request: route pattern, never the URL. And the audit event of each refused one.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '../../logger.ts';
import type { RefusalsService } from '../../services/refusals-service.ts';
import type { App } from '../app-types.ts';

export function requestLog(app: App, logger: Logger): void {
  app.addHook('onResponse', (request, reply, done) => {
    logRequest(request, reply, logger);
    done();
  });
}

/** Also for what is answered before a route is found, where no hook runs. */
export function logRequest(request: FastifyRequest, reply: FastifyReply, logger: Logger): void {
  // A flood of these is told once a minute; each of them would fill the log.
  const level = request.errorCode === 'too_many_failures' ? 'debug' : 'info';
  logger[level](
    {
      requestId: request.id,
      method: request.method,
      route: request.routeOptions.url ?? 'unknown',
      status: reply.statusCode,
      durationMs: Math.round(reply.elapsedTime * 1000) / 1000,
      keyId: request.caller?.apiKeyId,
      errorCode: request.errorCode ?? undefined,
    },
    'request',
  );
}

/** For the API scope: every answer from 400 to 499 is an audit event. */
export function refusalAudit(app: App, refusals: RefusalsService): void {
  app.addHook('onResponse', (request, reply, done) => {
    if (reply.statusCode >= 400 && reply.statusCode < 500) recordRefusal(request, reply, refusals);
    done();
  });
}

function recordRefusal(request: FastifyRequest, reply: FastifyReply, refusals: RefusalsService): void {
  const { caller } = request;
  refusals.record({
    occurredAt: new Date().toISOString(),
    actor: caller === null ? 'anonymous' : 'api-key',
    accountId: caller?.accountId ?? null,
    apiKeyId: caller?.apiKeyId ?? null,
    action: request.routeOptions.config.action ?? 'unknown',
    target: null,
    reason: request.errorCode ?? String(reply.statusCode),
    requestId: request.id,
    address: request.ip,
    occurrences: 1,
  });
}
