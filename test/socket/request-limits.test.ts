// What is too large or too slow is refused while it arrives, and everything else goes on.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MAX_BODY_BYTES } from '../../src/domain/limits.ts';
import { expectRefusal, type ListeningServer, startListeningServer } from '../support/listening-server.ts';
import { askRaw, openRaw, type RawConnection, rawRequest } from '../support/raw-client.ts';
import { TEST_TOKEN } from '../support/test-server.ts';

const CREDENTIALS = `Authorization: Bearer ${TEST_TOKEN}`;
const JSON_TYPE = 'Content-Type: application/json';
const SLOW_LIMIT_MS = 300;

let server: ListeningServer;
beforeAll(async () => {
  server = await startListeningServer();
});
afterAll(() => server.end());

async function expectClosedOrUsable(connection: RawConnection): Promise<void> {
  if (await connection.closesWithin(200)) return;
  connection.send(rawRequest('GET /healthz'));
  expect((await connection.answer()).status).toBe(200);
  connection.destroy();
}

describe('request line and headers', () => {
  test.each([
    ['a request line over 16 KiB', rawRequest(`GET /api/secrets/lists?key=${'k'.repeat(17_000)}`), 414],
    ['a request line over 64 KiB', rawRequest(`GET /api/secrets/lists?key=${'k'.repeat(70_000)}`), 414],
    ['a URL over 8 KiB', rawRequest(`GET /api/secrets/lists?key=${'k'.repeat(8_193)}`), 414],
    ['a header over 16 KiB', rawRequest('GET /api/secrets/lists', [`X-Long: ${'k'.repeat(17_000)}`]), 431],
    [
      'headers over 16 KiB together',
      rawRequest('GET /api/secrets/lists', Array(200).fill(`X-A: ${'k'.repeat(90)}`)),
      431,
    ],
    ['3,000 headers', rawRequest('GET /api/secrets/lists', Array(3_000).fill('A:')), 431],
    [
      'a key of 17 KB in the header',
      rawRequest('GET /api/secrets/lists', [`Authorization: Bearer ${'k'.repeat(17_000)}`]),
      431,
    ],
  ])('%s is refused at once', async (_what, bytes, status) => {
    const connection = await openRaw(server.port);
    connection.send(bytes);
    const answer = await connection.answer();
    expectRefusal(answer, status);
    expect(answer.text).not.toContain('kkk');
    expect(server.logLines.join('')).not.toContain('kkk');
    await expectClosedOrUsable(connection);
  });

  test('a request line that arrives in pieces is refused before it ends', async () => {
    const connection = await openRaw(server.port);
    connection.send(`GET /${'k'.repeat(10_000)}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
    connection.send('k'.repeat(10_000));
    const answer = await connection.answer();
    expectRefusal(answer, answer.status);
    expect([414, 431]).toContain(answer.status);
    expect(await connection.closesWithin(1_000)).toBe(true);
  });

  test('a key of 10 KB is a wrong key, answered at once', async () => {
    const startedAt = performance.now();
    const headers = [`Authorization: Bearer ${'k'.repeat(10_240)}`];
    const answer = await askRaw(server.port, rawRequest('GET /api/secrets/lists', headers));
    expectRefusal(answer, 401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(performance.now() - startedAt).toBeLessThan(500);
  });

  test('a URL of 8 KiB exactly is looked at', async () => {
    const path = '/api/secrets/lists?x=';
    const answer = await askRaw(
      server.port,
      rawRequest(`GET ${path}${'k'.repeat(8_192 - path.length)}`, [CREDENTIALS]),
    );
    expect(answer.status).toBe(200);
  });
});

describe('bodies over 4 MiB', () => {
  test('a Content-Length of too much is answered with 413 before the body arrives', async () => {
    const connection = await openRaw(server.port);
    const headers = [CREDENTIALS, JSON_TYPE, `Content-Length: ${MAX_BODY_BYTES + 1}`];
    connection.send(rawRequest('POST /api/secrets/lists', headers));
    expectRefusal(await connection.answer(), 413);
    expect(await connection.closesWithin(1_000)).toBe(true);
  });

  test.each([
    ['with Content-Length', `Content-Length: ${MAX_BODY_BYTES + 1}`, ['x'.repeat(MAX_BODY_BYTES + 1)]],
    ['chunked', 'Transfer-Encoding: chunked', Array<string>(70).fill(`10000\r\n${'x'.repeat(65_536)}\r\n`)],
  ])('a body %s is answered with 413, and the next request is served', async (_what, framing, pieces) => {
    const connection = await openRaw(server.port);
    connection.send(rawRequest('POST /api/secrets/lists', [CREDENTIALS, JSON_TYPE, framing]));
    for (const piece of pieces) connection.send(piece);
    expectRefusal(await connection.answer(), 413);
    expect(await connection.closesWithin(2_000)).toBe(true);
    const next = await askRaw(server.port, rawRequest('GET /api/secrets/lists', [CREDENTIALS]));
    expect(next.json.data).toEqual([]);
  });

  test('a body of 4 MiB exactly is read', async () => {
    const connection = await openRaw(server.port);
    const body = '{}'.padEnd(MAX_BODY_BYTES, ' ');
    connection.send(
      rawRequest('POST /api/secrets/lists', [CREDENTIALS, JSON_TYPE, `Content-Length: ${body.length}`], body),
    );
    const { status, json } = await connection.answer();
    expect(status).toBe(200);
    await server.request('DELETE', `/api/secrets/lists/${json.data.id}`);
    connection.destroy();
  });
});

describe('a client that dawdles', () => {
  test('has 10 seconds for its headers and a minute for the whole request', () => {
    expect(server.app.server.headersTimeout).toBe(10_000);
    expect(server.app.server.requestTimeout).toBe(60_000);
  });

  test.each([
    ['in its request line', 'GET /api/secrets/li'],
    ['in its headers', 'GET /api/secrets/lists HTTP/1.1\r\nHost: localhost\r\nX-Slow: '],
    ['in its body', rawRequest('POST /api/secrets/lists', [CREDENTIALS, JSON_TYPE, 'Content-Length: 20'], '{"name":')],
    [
      'between chunks',
      rawRequest('POST /api/secrets/lists', [CREDENTIALS, JSON_TYPE, 'Transfer-Encoding: chunked'], '2\r\n{"\r\n'),
    ],
  ])('%s is answered with 408 and closed', { concurrent: true }, async (_what, beginning) => {
    Object.assign(server.app.server, { headersTimeout: SLOW_LIMIT_MS, requestTimeout: SLOW_LIMIT_MS });
    const connection = await openRaw(server.port);
    connection.send(beginning);
    const answer = await connection.answer();
    expectRefusal(answer, 408);
    expect(await connection.closesWithin(1_000)).toBe(true);
    expect((await server.request('GET', '/api/secrets/lists')).json.data).toEqual([]);
  });
});
