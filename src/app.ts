// Builds the HTTP application: plugins and routes in sight, no autoload. Nothing here opens a file or a socket.

import { randomUUID } from 'node:crypto';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { fastify } from 'fastify';
import { MAX_BODY_BYTES, MAX_HEADER_BYTES, type ServerBounds } from './domain/limits.ts';
import type { App } from './http/app-types.ts';
import { authenticate } from './http/plugins/authenticate.ts';
import { bodies } from './http/plugins/bodies.ts';
import type { RevisionOf } from './http/plugins/conditional-requests.ts';
import { answerError, errorHandler } from './http/plugins/error-handler.ts';
import { limitFailures } from './http/plugins/failure-limit.ts';
import { loadBounds } from './http/plugins/load-bounds.ts';
import { knowAllMethods, methodNotAllowed } from './http/plugins/method-not-allowed.ts';
import { logRequest, refusalAudit, requestLog } from './http/plugins/request-log.ts';
import { requestRules, setCommonHeaders } from './http/plugins/request-rules.ts';
import { answerExpectation, answerSocketError } from './http/plugins/socket-errors.ts';
import { allValuesRoutes } from './http/routes/all-values-routes.ts';
import { auditRoutes } from './http/routes/audit-routes.ts';
import { healthRoutes } from './http/routes/health-routes.ts';
import { instancesRoutes } from './http/routes/instances-routes.ts';
import { listsRoutes } from './http/routes/lists-routes.ts';
import { nocloudRoutes } from './http/routes/nocloud-routes.ts';
import { SHARED_SCHEMAS } from './http/routes/operation.ts';
import { referenceRoutes } from './http/routes/reference-routes.ts';
import { userDataRoutes } from './http/routes/user-data-routes.ts';
import { valuesRoutes } from './http/routes/values-routes.ts';
import type { Logger } from './logger.ts';
import type { AuditTrailService } from './services/audit-trail-service.ts';
import type { AuthenticationService } from './services/authentication-service.ts';
import type { FailuresService } from './services/failures-service.ts';
import type { InstancesService } from './services/instances-service.ts';
import type { ListsService } from './services/lists-service.ts';
import type { RefusalsService } from './services/refusals-service.ts';
import type { SealedAnswers } from './services/sealed-answers.ts';
import type { SeedsService } from './services/seeds-service.ts';
import type { UserDataService } from './services/user-data-service.ts';
import type { ValueAnswers } from './services/value-answers.ts';
import type { ValuesService } from './services/values-service.ts';

/** How long a client may take. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
/** How often connections are looked at. */
const CHECK_EVERY_MS = 1_000;
const KEEP_ALIVE_MS = 72_000;
/** A client that takes nothing of its answer for so long is cut off: what waits for it stays in memory. */
const STALLED_MS = 60_000;

export interface AppDependencies {
  readonly logger: Logger;
  readonly lists: ListsService;
  readonly values: ValuesService;
  readonly listAnswers: SealedAnswers<null>;
  readonly answers: ValueAnswers;
  readonly revisionOf: RevisionOf;
  readonly userData: UserDataService;
  readonly instances: InstancesService;
  readonly seeds: SeedsService;
  /** How machines reach this server, without a trailing slash. */
  readonly baseUrl: () => string;
  readonly authentication: AuthenticationService;
  readonly refusals: RefusalsService;
  readonly failures: FailuresService;
  readonly bounds: ServerBounds;
  readonly audit: AuditTrailService;
  readonly checkReady: () => Promise<void>;
  readonly isStopping: () => boolean;
  /** Called when everything but the routes is registered. */
  readonly beforeRoutes?: (app: App) => Promise<void>;
}

export async function buildApp(deps: AppDependencies): Promise<App> {
  const { logger } = deps;
  const app: App = fastify({
    http: {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_EVERY_MS,
      // Answered by the request rules, in the envelope.
      requireHostHeader: false,
    },
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: STALLED_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    bodyLimit: MAX_BODY_BYTES,
    // Node bounds the request line; a name of 255 characters can take 3,060 when it is percent-encoded.
    routerOptions: { maxParamLength: MAX_HEADER_BYTES },
    return503OnClosing: false,
    genReqId: () => randomUUID(),
    ajv: {
      customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: true },
    },
    clientErrorHandler: (error, socket) => answerSocketError(error, socket, logger),
    frameworkErrors: (error, request, reply) => {
      setCommonHeaders(request, reply);
      answerError(error, request, reply, logger);
      logRequest(request, reply, logger);
    },
  }).withTypeProvider<TypeBoxTypeProvider>();

  app.server.on('checkExpectation', (_request, response) => answerExpectation(response, logger));
  app.decorateRequest('caller', null);
  app.decorateRequest('errorCode', null);
  for (const schema of SHARED_SCHEMAS) app.addSchema(schema);
  knowAllMethods(app);

  requestRules(app, deps.isStopping);
  loadBounds(app, deps.bounds);
  requestLog(app, logger);
  errorHandler(app, logger);
  bodies(app);
  await deps.beforeRoutes?.(app);

  await app.register(async (open) => {
    const addRefusals = methodNotAllowed(open as App);
    healthRoutes(open as App, deps.checkReady);
    referenceRoutes(open as App, logger);
    nocloudRoutes(open as App, deps.seeds, deps.baseUrl);
    addRefusals();
  });

  await app.register(
    async (scope) => {
      const api = scope as App;
      authenticate(api, deps.authentication);
      refusalAudit(api, deps.refusals);
      errorHandler(api, logger, limitFailures(deps.failures));
      const addRefusals = methodNotAllowed(api);
      listsRoutes(api, deps.lists, deps.listAnswers, deps.revisionOf);
      valuesRoutes(api, deps);
      allValuesRoutes(api, deps.answers, deps.revisionOf);
      instancesRoutes(api, deps.instances, deps.baseUrl);
      auditRoutes(api, deps.audit);
      await api.register(async (documents) => userDataRoutes(documents as App, deps.userData));
      addRefusals();
    },
    { prefix: '/api' },
  );
  return app;
}
