// /nocloud/{token}/…: the seed that cloud-init's NoCloud datasource fetches. The token is the credential.

import { Type } from '@sinclair/typebox';
import type { FastifyRequest } from 'fastify';
import { SEED_FILES, type SeedRequest, type SeedsService } from '../../services/seeds-service.ts';
import type { App } from '../app-types.ts';

const SeedPath = Type.Object({
  token: Type.String({ description: "The token of an instance's seed_url." }),
});

/** `baseUrl` is how machines reach this server, without a trailing slash. */
export function nocloudRoutes(app: App, seeds: SeedsService, baseUrl: () => string): void {
  const seedRequest = (request: FastifyRequest, token: string): SeedRequest => ({
    token,
    requestId: request.id,
    address: request.ip,
    baseUrl: baseUrl(),
    isDelivered: request.method !== 'HEAD',
  });

  for (const file of SEED_FILES) {
    app.get(
      `/nocloud/:token/${file}`,
      { schema: { summary: `The seed's ${file}`, tags: ['Seeds'], params: SeedPath } },
      async (request, reply) => {
        const bytes = await seeds.fetch(seedRequest(request, request.params.token), file);
        reply.type('text/plain; charset=utf-8');
        return Buffer.from(bytes);
      },
    );
  }

  app.post(
    '/nocloud/:token/phone-home',
    {
      onRequest: (request) => seeds.requireKnown(seedRequest(request, request.params.token)),
      schema: {
        summary: 'The machine is up: closes its seed',
        tags: ['Seeds'],
        params: SeedPath,
        consumes: ['application/x-www-form-urlencoded', 'application/json'],
      },
    },
    async (request, reply) => {
      await seeds.phoneHome(seedRequest(request, request.params.token), request.body as Record<string, unknown>);
      reply.type('text/plain; charset=utf-8');
      return 'ok\n';
    },
  );
}
