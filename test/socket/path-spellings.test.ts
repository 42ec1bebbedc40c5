// Every route in every spelling without a key: none of them leads past authentication.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { expectCommonHeaders, type ListeningServer, startListeningServer } from '../support/listening-server.ts';
import { askRaw, rawRequest } from '../support/raw-client.ts';
import { TEST_TOKEN } from '../support/test-server.ts';

const EXAMPLES: Readonly<Record<string, string>> = { secretList: 'production', secretListValue: 'API_KEY' };

const ROUTES = routesWithKey();

/** What openapi.yaml says needs a key: "METHOD /path", its parameters filled in. */
function routesWithKey(): string[] {
  const { paths } = parse(readFileSync(join(import.meta.dirname, '../../openapi.yaml'), 'utf8'));
  return Object.entries<Record<string, { security?: unknown[] }>>(paths).flatMap(([path, operations]) => {
    const filled = path.replace(/\{(\w+)\}/g, (_, name) => EXAMPLES[name] ?? '1');
    return Object.entries(operations)
      .filter(([, { security = [] }]) => security.length > 0)
      .map(([method]) => `${method.toUpperCase()} ${filled}`);
  });
}

const SPELLINGS: readonly [string, (path: string) => string][] = [
  ['as it is', (path) => path],
  ['an encoded letter', (path) => path.replace('/api', '/%61pi')],
  ['an encoded letter in the middle', (path) => path.replace('secrets', 's%65crets')],
  ['two slashes at the start', (path) => `/${path}`],
  ['two slashes in the middle', (path) => path.replace('/secrets', '//secrets')],
  ['a dot segment', (path) => path.replace('/secrets', '/./secrets')],
  ['a parent segment', (path) => path.replace('/api', '/healthz/../api')],
  ['an encoded parent segment', (path) => path.replace('/api', '/healthz/%2e%2e/api')],
  ['an encoded dot', (path) => path.replace('/secrets', '/%2e/secrets')],
  ['an encoded slash', (path) => path.replace('/secrets', '%2fsecrets')],
  ['a path parameter', (path) => `${path};x=1`],
  ['a path parameter in the middle', (path) => path.replace('/secrets', ';x/secrets')],
  ['upper case', (path) => path.replace('/api/secrets', '/API/SECRETS')],
  ['a trailing slash', (path) => `${path}/`],
  ['double encoding', (path) => path.replace('/api', '/%2561pi')],
  ['a backslash', (path) => path.replace('/secrets', '\\secrets')],
  ['a fragment', (path) => `${path}#x`],
  ['absolute form', (path) => `http://localhost${path}`],
];

let server: ListeningServer;
beforeAll(async () => {
  server = await startListeningServer();
  await server.request('POST', '/api/secrets/lists', { body: { name: 'production' } });
  const secret = { secret_key: 'API_KEY', secret_value: 'the-canary-of-the-spellings' };
  await server.request('POST', '/api/secrets/lists/production/values', { body: secret });
});
afterAll(() => server.end());

function ask(route: string, spell: (path: string) => string, headers: string[]) {
  const [method, path = ''] = route.split(' ');
  return askRaw(server.port, rawRequest(`${method} ${spell(path)}`, headers));
}

test('the routes are those of the contract, and whatever else needs a key', () => {
  expect(ROUTES.length).toBeGreaterThanOrEqual(11);
});

test.each(SPELLINGS)('without a key, %s is answered with 400, 401 or 404', async (_what, spell) => {
  for (const route of ROUTES) {
    const answer = await ask(route, spell, []);
    expect([400, 401, 404], `${route}: ${answer.text}`).toContain(answer.status);
    expectCommonHeaders(answer);
    expect(answer.text).not.toContain('canary');
    expect(answer.text).not.toContain('production');
  }
  expect((await server.request('GET', '/api/secrets/all-values')).json.data).toHaveLength(1);
});

test('with a key, a spelling leads to the very thing or to nothing', async () => {
  const credentials = [`Authorization: Bearer ${TEST_TOKEN}`];
  for (const [what, spell] of SPELLINGS) {
    const answer = await ask('GET /api/secrets/lists/production/values/API_KEY', spell, credentials);
    expect([200, 400, 404], `${what}: ${answer.text}`).toContain(answer.status);
    if (answer.status === 200) expect(answer.json.data.secret_key).toBe('API_KEY');
    else expect(answer.text).not.toContain('canary');
  }
});
