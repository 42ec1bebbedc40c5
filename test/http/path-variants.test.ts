// Other spellings of the API's paths, sent as they are written: none gets past the key, none answers as another route.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ListeningServer, startListeningServer } from '../support/listening-server.ts';
import { askRaw, rawRequest } from '../support/raw-client.ts';
import { fillPath, readOperations } from './api-operations.ts';

const OPERATIONS = readOperations();
let server: ListeningServer;

beforeAll(async () => {
  server = await startListeningServer();
  await server.request('POST', '/api/secrets/lists', { body: { name: 'production' } });
  const body = { secret_key: 'API_KEY', secret_value: 'canary-value' };
  await server.request('POST', '/api/secrets/lists/production/values', { body });
});
afterAll(() => server.end());

const VARIANTS: [string, (path: string) => string][] = [
  ['/%61pi', (path) => path.replace('/api', '/%61pi')],
  ['/%41PI', (path) => path.replace('/api', '/%41PI')],
  ['every letter encoded', (path) => path.replace(/[a-z]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`)],
  ['/%2561pi', (path) => path.replace('/api', '/%2561pi')],
  ['//api', (path) => `/${path}`],
  ['//host/api', (path) => `//host${path}`],
  ['/api//secrets', (path) => path.replace('/secrets', '//secrets')],
  ['every slash twice', (path) => path.replaceAll('/', '//')],
  ['/./api', (path) => `/.${path}`],
  ['/api/./secrets', (path) => path.replace('/secrets', '/./secrets')],
  ['/healthz/../api', (path) => `/healthz/..${path}`],
  ['/docs/static/../../api', (path) => `/docs/static/../..${path}`],
  ['/api/x/../secrets', (path) => path.replace('/secrets', '/x/../secrets')],
  ['/docs/%2e%2e/api', (path) => `/docs/%2e%2e${path}`],
  ['/%2e/api', (path) => `/%2e${path}`],
  ['/%2fapi', (path) => `/%2f${path.slice(1)}`],
  ['/api%2fsecrets', (path) => path.replace('/api/', '/api%2f')],
  ['/docs%2f..%2fapi', (path) => `/docs%2f..%2f${path.slice(1)}`],
  ['/api;x', (path) => path.replace('/api', '/api;x')],
  ['/api;/secrets', (path) => path.replace('/api', '/api;')],
  ['a semicolon at the end', (path) => `${path};x`],
  ['/API', (path) => path.replace('/api', '/API')],
  ['upper case', (path) => path.toUpperCase()],
  ['a trailing slash', (path) => `${path}/`],
  ['a trailing encoded slash', (path) => `${path}%2f`],
  ['a trailing dot', (path) => `${path}.`],
  ['a trailing NUL', (path) => `${path}%00`],
  ['an ending', (path) => `${path}.json`],
  ['a backslash', (path) => path.replaceAll('/', '\\').replace('\\', '/')],
  ['an overlong slash', (path) => path.replace('/api/', '/api%c0%af')],
  ['full-width letters', (path) => path.replace('/api', '/%EF%BD%81pi')],
  ['an absolute URL', (path) => `http://127.0.0.1${path}`],
  ['no slash first', (path) => path.slice(1)],
  ['a query that looks like a path', (path) => `${path}?/../../healthz`],
  ['a path behind a question mark', (path) => `/x?${path}`],
];

test.each(VARIANTS)('with %s no route answers without a key, but 400, 401 or 404', async (_, vary) => {
  for (const operation of OPERATIONS) {
    const target = vary(fillPath(operation, 'production', 'API_KEY'));
    const { status, text } = await askRaw(server.port, rawRequest(`${operation.method} ${target}`));
    // Below /docs everybody may learn that there is nothing to write to.
    const refusals = target.startsWith('/docs') ? [400, 404, 405] : [400, 401, 404];
    expect([operation.method, target, status]).toEqual([operation.method, target, expect.toBeOneOf(refusals)]);
    expect(text).not.toContain('canary');
  }
});

test('nothing was changed by any of them', async () => {
  expect((await server.request('GET', '/api/secrets/lists')).json.data).toMatchObject([{ name: 'production' }]);
  expect((await server.request('GET', '/api/secrets/all-values')).json.data).toMatchObject([{ secret_key: 'API_KEY' }]);
});
