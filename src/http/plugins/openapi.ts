// The description of the API, generated from the routes' schemas: /openapi.yaml, and readable at /docs.

import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { App } from '../app-types.ts';

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

/** To be awaited before the routes are registered. */
export async function openapi(app: App, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Secret Manager',
        version,
        description: DESCRIPTION,
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/', description: 'This server' }],
      components: {
        securitySchemes: {
          key: { type: 'apiKey', in: 'query', name: 'key', description: 'The API key as ?key=.' },
          bearer: { type: 'http', scheme: 'bearer', description: 'The API key as Authorization: Bearer.' },
        },
      },
    },
    refResolver: { buildLocalReference: (schema, _baseUri, _fragment, i) => String(schema['$id'] ?? `schema-${i}`) },
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: CONTENT_SECURITY_POLICY,
    uiConfig: { deepLinking: true, displayRequestDuration: true },
    theme: { title: 'Secret Manager' },
  });
  app.get('/openapi.yaml', { schema: { hide: true } }, (_request, reply) => {
    reply.type('application/yaml; charset=utf-8').send(app.swagger({ yaml: true }));
  });
}

const DESCRIPTION = `Secret lists hold key-value pairs; list names and secret keys are unique in the account.

Every answer under \`/api/\` is JSON with \`result\`, \`message\`, \`code\`, \`data\` and \`meta\`; success is always
HTTP 200. Bodies are JSON or a form. An API key is sent as \`?key=\` or as \`Authorization: Bearer\`, not both.`;
