// /healthz and /readyz: open to anybody, and telling nothing but yes or no.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { expectCommonHeaders, expectFailure } from './api-answers.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

describe.each(['/healthz', '/readyz'])('%s', (path) => {
  test('answers 200 without a key', async () => {
    const answer = await server.request('GET', path, { token: null });
    expect([answer.status, answer.json]).toEqual([200, { status: 'ok' }]);
    expectCommonHeaders(answer);
  });

  test('answers 200 with a wrong key, and with two', async () => {
    const headers = { authorization: 'Bearer wrong' };
    expect((await server.request('GET', `${path}?key=wrong`, { token: null, headers })).status).toBe(200);
  });

  test('answers HEAD without a body, and other methods with 405', async () => {
    const head = await server.request('HEAD', path, { token: null });
    expect([head.status, head.text]).toEqual([200, '']);
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']) {
      const answer = await server.request(method, path, { token: null });
      expectFailure(answer, 405);
      expect(answer.headers['allow']).toBe('GET, HEAD');
    }
  });
});
