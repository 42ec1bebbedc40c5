// Every method on every path: 405 with Allow where the path is known, and HEAD like GET without a body.

import { METHODS } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { expectFailure } from './api-answers.ts';
import { fillPath, readOperations } from './api-operations.ts';
import { everything, type Stage, setStage, withInstances } from './api-table.ts';

const OPERATIONS = readOperations();
const PATHS = [...new Set(OPERATIONS.map(({ path }) => path))];

let server: TestServer;
let stage: Stage;

beforeAll(async () => {
  server = await startTestServer({ SECRET_MANAGER_PUBLIC_URL: 'http://here.example' });
  stage = await withInstances(await setStage(server));
});
afterAll(() => server.close());

describe.each(PATHS)('%s', (path) => {
  const methods = OPERATIONS.filter((operation) => operation.path === path).map(({ method }) => method);
  const known = methods.includes('GET') ? [...methods, 'HEAD'] : methods;
  const url = fillPath({ path }, 'production', 'API_KEY');

  test(`takes ${known.join(', ')}; any other method is 405 with Allow, and changes nothing`, async () => {
    const before = await everything(stage);
    for (const method of METHODS.filter((each) => each !== 'CONNECT' && !known.includes(each))) {
      for (const token of [stage.tokens.writer, stage.tokens.reader]) {
        const answer = await server.request(method, url, { token });
        if (method === 'HEAD') expect([answer.status, answer.text]).toEqual([405, '']);
        else expectFailure(answer, 405);
        expect(String(answer.headers['allow']).split(', ').sort()).toEqual([...known].sort());
      }
    }
    expect(await everything(stage)).toEqual(before);
  });

  test('answers HEAD as GET, without a body', async () => {
    const { writer: token } = stage.tokens;
    if (!known.includes('HEAD')) return;
    const [get, head] = [await server.request('GET', url, { token }), await server.request('HEAD', url, { token })];
    expect([head.status, head.text]).toEqual([200, '']);
    const volatile = { date: '', 'x-request-id': '' };
    expect({ ...head.headers, ...volatile }).toEqual({ ...get.headers, ...volatile });
  });
});

test('405 comes before the body is looked at', async () => {
  const { writer: token } = stage.tokens;
  const headers = { 'content-type': 'text/plain' };
  expectFailure(await server.request('PUT', '/api/secrets/lists', { token, headers, body: 'x' }), 405);
  expectFailure(await server.request('PATCH', '/api/secrets/lists', { token, headers, body: '{' }), 405);
});

test('HEAD of what does not exist is 404, and of what is closed 401, without a body', async () => {
  const { writer: token } = stage.tokens;
  const absent = await server.request('HEAD', '/api/secrets/lists/nothing', { token });
  expect([absent.status, absent.text]).toEqual([404, '']);
  const closed = await server.request('HEAD', '/api/secrets/lists/production', { token: null });
  expect([closed.status, closed.text, closed.headers['www-authenticate']]).toEqual([401, '', 'Bearer']);
});
