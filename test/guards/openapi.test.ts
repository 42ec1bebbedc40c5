// openapi.yaml says what the routes do, all of it, with examples; and it is served, readable, at /docs.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { describeApi } from '../../scripts/describe-api.ts';
import { OPENAPI_FILE, readOpenapi, readOperations } from '../http/api-operations.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';

const OPERATIONS = readOperations();
const EACH_OPERATION = OPERATIONS.map((operation) => [`${operation.method} ${operation.path}`, operation] as const);
const BODY_TYPES = ['application/json', 'application/x-www-form-urlencoded'];
const DOCUMENT_TYPES = ['application/octet-stream', 'text/plain'];

interface Schema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly examples?: readonly unknown[];
  readonly required?: readonly string[];
}

/** The places of texts and numbers that anything could be in and that no example is given for. */
function findWithoutExample(schema: Schema, place: string): string[] {
  if (schema.examples !== undefined || schema.enum?.length === 1 || schema.type === 'null') return [];
  if (schema.items !== undefined) return findWithoutExample(schema.items, `${place}[]`);
  if (schema.properties === undefined) return [place];
  return Object.entries(schema.properties).flatMap(([name, each]) => findWithoutExample(each, `${place}.${name}`));
}

describe('openapi.yaml', () => {
  test('is what the routes say; run "npm run openapi" when this fails', async () => {
    const described = await describeApi();
    expect(parse(readFileSync(OPENAPI_FILE, 'utf8'))).toEqual(parse(described));
    expect(readFileSync(OPENAPI_FILE, 'utf8')).toBe(described);
  });

  test('has the eleven endpoints of the contract', () => {
    expect(EACH_OPERATION.map(([name]) => name)).toEqual(
      expect.arrayContaining([
        'GET /api/secrets/lists',
        'GET /api/secrets/lists/{secretList}',
        'POST /api/secrets/lists',
        'POST /api/secrets/lists/{secretList}',
        'DELETE /api/secrets/lists/{secretList}',
        'GET /api/secrets/all-values',
        'GET /api/secrets/lists/{secretList}/values',
        'GET /api/secrets/lists/{secretList}/values/{secretListValue}',
        'POST /api/secrets/lists/{secretList}/values',
        'POST /api/secrets/lists/{secretList}/values/{secretListValue}',
        'DELETE /api/secrets/lists/{secretList}/values/{secretListValue}',
      ]),
    );
  });

  test('knows both ways to send the key', () => {
    expect(readOpenapi().components.securitySchemes).toMatchObject({
      key: { type: 'apiKey', in: 'query', name: 'key' },
      bearer: { type: 'http', scheme: 'bearer' },
    });
  });

  test('gives each operation an id of its own', () => {
    const ids = OPERATIONS.map(({ description }) => description.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('needs no body for a new list', () => {
    const create = OPERATIONS.find(({ method, path }) => method === 'POST' && path === '/api/secrets/lists');
    expect(create?.description.requestBody.required ?? false).toBe(false);
    expect(create?.description.requestBody.content['application/json'].schema.required ?? []).toEqual([]);
  });
});

describe.each(EACH_OPERATION)('%s', (_, { path, isWrite, takesDocument, description }) => {
  test('takes the key in either way', () => {
    expect(description.security).toEqual(expect.arrayContaining([{ key: [] }, { bearer: [] }]));
    expect(description.security).toHaveLength(2);
  });

  test('says what it is for, and describes and exemplifies each parameter of its path', () => {
    expect(description.summary).toMatch(/^[A-Z]/);
    const parameters = (description.parameters ?? []).filter((parameter: { in: string }) => parameter.in === 'path');
    expect(parameters.map(({ name }: { name: string }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? []);
    for (const { required, example, description: text } of parameters) {
      expect([required, typeof example, typeof text]).toEqual([true, 'string', 'string']);
    }
  });

  test('takes JSON and forms alike, with examples', () => {
    const { requestBody } = description;
    if (requestBody === undefined) return;
    const types = takesDocument ? [...BODY_TYPES, ...DOCUMENT_TYPES].sort() : BODY_TYPES;
    expect(Object.keys(requestBody.content).sort()).toEqual(types);
    const [json, form] = BODY_TYPES.map((type) => requestBody.content[type].schema);
    expect(form).toEqual(json);
    expect(findWithoutExample(json, 'body')).toEqual([]);
    if (!takesDocument) return;
    for (const type of DOCUMENT_TYPES) expect(Object.keys(requestBody.content[type])).toContain('example');
  });

  test('answers success with 200 alone, in the envelope, with examples', () => {
    expect(Object.keys(description.responses).filter((status) => status < '300')).toEqual(['200']);
    const { schema } = description.responses['200'].content['application/json'];
    expect([...schema.required].sort()).toEqual(['code', 'data', 'message', 'meta', 'result']);
    expect(schema.properties.code.enum).toEqual([200]);
    expect(findWithoutExample(schema, 'answer')).toEqual([]);
  });

  test('answers any failure in the envelope, and says which there are', () => {
    const failures = Object.entries(description.responses).filter(([status]) => status >= '400');
    for (const [, response] of failures) {
      const { description: text, content } = response as { description: string; content: Record<string, unknown> };
      expect(text).toMatch(/^[A-Z].*\.$/);
      expect(content).toEqual({ 'application/json': { schema: { $ref: '#/components/schemas/Failure' } } });
    }
    const statuses = failures.map(([status]) => Number(status));
    expect(statuses).toEqual(expect.arrayContaining([400, 401, 429, 500, 503, ...(isWrite ? [403, 507] : [])]));
    if (path.includes('{')) expect(statuses).toContain(404);
    if (description.requestBody !== undefined) expect(statuses).toEqual(expect.arrayContaining([413, 415, 422]));
  });
});

describe('the served reference', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server.close());

  function get(path: string) {
    return server.request('GET', path, { token: null });
  }

  test('/openapi.yaml is the file', async () => {
    const answer = await get('/openapi.yaml');
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/yaml; charset=utf-8']);
    expect(answer.text).toBe(readFileSync(OPENAPI_FILE, 'utf8'));
  });

  test.each(['/docs', '/docs/'])('%s is a page under a strict Content-Security-Policy', async (path) => {
    const answer = await get(path);
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    const policy = readPolicy(answer.headers['content-security-policy']);
    expect(policy['default-src']).toEqual(["'none'"]);
    for (const name of ['frame-ancestors', 'base-uri', 'form-action']) expect(policy[name]).toEqual(["'none'"]);
    for (const [name, sources] of Object.entries(policy)) {
      const allowed = name === 'img-src' ? ["'self'", "'none'", 'data:'] : ["'self'", "'none'"];
      expect([name, sources.filter((source) => !allowed.includes(source))]).toEqual([name, []]);
    }
  });

  test('the page has nothing inline and nothing from elsewhere, and all it names is there', async () => {
    const page = (await get('/docs/')).text;
    expect(page).not.toMatch(/<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=|javascript:/i);
    const named = [...page.matchAll(/\b(?:src|href)="([^"]+)"/g)].map(([, url]) => url ?? '');
    expect(named.length).toBeGreaterThan(3);
    for (const url of named) {
      const resolved = new URL(url, 'http://here.example/docs/');
      expect(resolved.host).toBe('here.example');
      const asset = await get(resolved.pathname);
      expect([url, asset.status]).toEqual([url, 200]);
      if (url.endsWith('initializer.js')) expect(asset.text).not.toMatch(/url"?:\s*"https?:/i);
    }
  });

  test.each([
    '/docs/nothing',
    '/docs/static/nothing',
    '/docs/static/..%2f..%2fpackage.json',
    '/docs/%2e%2e%2fpackage.json',
  ])('%s is 404', async (path) => {
    const answer = await get(path);
    expect([answer.status, answer.json.code]).toEqual([404, 404]);
  });

  test.each(['/openapi.yaml', '/docs', '/docs/'])('%s takes no other method', async (path) => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      const answer = await server.request(method, path, { token: null });
      expect([method, answer.status, answer.headers['allow']]).toEqual([method, 405, 'GET, HEAD']);
    }
  });
});

function readPolicy(header: unknown): Record<string, string[]> {
  const directives = String(header)
    .split(';')
    .map((directive) => directive.trim().split(/\s+/));
  return Object.fromEntries(directives.map(([name = '', ...sources]) => [name, sources]));
}
