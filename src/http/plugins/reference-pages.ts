// The pages of /docs: Swagger UI over openapi.yaml, an application of its own that is loaded when first asked for: its
// plugins take 8 MB.

import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { type FastifyInstance, fastify } from 'fastify';
import type { Logger } from '../../logger.ts';
import { errorHandler } from './error-handler.ts';
import { COMMON_HEADERS } from './request-rules.ts';

/** Nothing inline, nothing from elsewhere. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** An application that answers everything below `prefix`. */
export async function buildReferencePages(
  prefix: string,
  openapiPath: string,
  logger: Logger,
): Promise<FastifyInstance> {
  const pages = fastify();
  pages.decorateRequest('errorCode', null);
  errorHandler(pages, logger);
  pages.addHook('onSend', (_request, reply, _payload, done) => {
    reply.headers(COMMON_HEADERS);
    done();
  });
  await pages.register(swagger, { mode: 'static', specification: { path: openapiPath, baseDir: '' } });
  await pages.register(swaggerUi, {
    routePrefix: prefix,
    staticCSP: CONTENT_SECURITY_POLICY,
    uiConfig: { layout: 'BaseLayout', deepLinking: true },
    theme: { title: 'Secret Manager' },
  });
  await pages.ready();
  return pages;
}
