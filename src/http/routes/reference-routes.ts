// /openapi.yaml, and the same readable at /docs. No key needed: they tell nothing of what is stored.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '../../logger.ts';
import type { App } from '../app-types.ts';

const OPENAPI_PATH = join(import.meta.dirname, '../../../openapi.yaml');
const PAGES_PREFIX = '/docs';

export function referenceRoutes(app: App, logger: Logger): void {
  const schema = { hide: true };

  app.get('/openapi.yaml', { schema }, (_request, reply) => {
    reply.type('application/yaml; charset=utf-8').send(readFileSync(OPENAPI_PATH));
  });

  let pages: Promise<(request: FastifyRequest, reply: FastifyReply) => void> | undefined;

  async function loadPages() {
    const { buildReferencePages } = await import('../plugins/reference-pages.ts');
    const { routing } = await buildReferencePages(PAGES_PREFIX, OPENAPI_PATH, logger);
    return (request: FastifyRequest, reply: FastifyReply) => routing(request.raw, reply.raw);
  }

  async function answerFromPages(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    pages ??= loadPages();
    // A failed load is tried again with the next request.
    pages.catch(() => {
      pages = undefined;
    });
    const answer = await pages;
    for (const [name, value] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value ?? '');
    reply.hijack();
    answer(request, reply);
  }

  const config = { isUncounted: true };
  app.get(PAGES_PREFIX, { config, schema }, answerFromPages);
  app.get(`${PAGES_PREFIX}/*`, { config, schema }, answerFromPages);
}
