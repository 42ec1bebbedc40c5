// openapi.yaml's text, from the schemas of the routes; nothing is opened and nothing is served.

import swagger from '@fastify/swagger';
import { stringify } from 'yaml';
import { buildApp } from '../src/app.ts';
import { VERSION } from '../src/compose.ts';
import { SERVER_BOUNDS } from '../src/domain/limits.ts';
import type { App } from '../src/http/app-types.ts';
import { createLogger } from '../src/logger.ts';

export async function describeApi(): Promise<string> {
  const unused = () => {
    throw new Error('describing the API calls no service');
  };
  const service = new Proxy({}, { get: unused }) as never;
  const app = await buildApp({
    logger: createLogger('silent'),
    lists: service,
    values: service,
    listAnswers: service,
    answers: service,
    revisionOf: unused,
    userData: service,
    instances: service,
    seeds: service,
    baseUrl: unused,
    authentication: service,
    refusals: service,
    failures: service,
    bounds: SERVER_BOUNDS,
    audit: service,
    checkReady: unused,
    isStopping: unused,
    beforeRoutes: registerOpenapi,
  });
  await app.ready();
  const description = app.swagger() as unknown as Description;
  letEmptyBodiesPass(description);
  describeConditions(description);
  return stringify(description);
}

interface RequestBody {
  required?: boolean;
  readonly content: Readonly<Record<string, { readonly schema: { readonly required?: string[] } }>>;
}

interface Operation {
  readonly requestBody?: RequestBody;
  parameters?: object[];
  readonly responses: Readonly<Record<string, { headers?: object }>>;
}

/** What is touched here of an OpenAPI document. */
interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** The generator calls every body required; here one without required fields may be left out. */
function letEmptyBodiesPass({ paths }: Description): void {
  for (const { requestBody } of Object.values(paths).flatMap((path) => Object.values(path))) {
    if (requestBody?.content['application/json']?.schema.required === undefined) delete requestBody?.required;
  }
}

/** What can be answered with 304 has an ETag, and takes one. */
function describeConditions({ paths }: Description): void {
  for (const operation of Object.values(paths).flatMap((path) => Object.values(path))) {
    const { 200: ok, 304: notModified } = operation.responses;
    if (ok === undefined || notModified === undefined) continue;
    const schema = { type: 'string', examples: ['"1-8A5F2B"'] };
    for (const answer of [ok, notModified]) {
      answer.headers = { ETag: { description: 'Another one after each change in the account.', schema } };
    }
    operation.parameters ??= [];
    operation.parameters.push({
      in: 'header',
      name: 'If-None-Match',
      required: false,
      description: 'ETags of earlier answers; nothing changed since one of them: 304.',
      schema,
    });
  }
}

/** Before the routes are registered; `app.swagger()` then describes them. */
async function registerOpenapi(app: App): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Secret Manager',
        version: VERSION,
        description: DESCRIPTION,
        license: { name: 'MIT', identifier: 'MIT' },
      },
      tags: [
        { name: 'Secret lists' },
        { name: 'Secret values' },
        { name: 'cloud-init' },
        { name: 'Seeds' },
        { name: 'Health' },
      ],
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
}

const DESCRIPTION = `Secret lists hold key-value pairs; list names and secret keys are unique in the account.

Every answer under \`/api/\` is JSON with \`result\`, \`message\`, \`code\`, \`data\` and \`meta\`; success is always
HTTP 200. Bodies are JSON or a form. An API key is sent as \`?key=\` or as \`Authorization: Bearer\`, not both.`;
