// What HTTP/1.1 itself asks of a server, with real bytes: expectations, pipelines, methods, strangers' headers, aborts.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  expectCommonHeaders,
  expectRefusal,
  type ListeningServer,
  startListeningServer,
} from '../support/listening-server.ts';
import { askRaw, openRaw, rawRequest } from '../support/raw-client.ts';
import { TEST_TOKEN } from '../support/test-server.ts';

const CREDENTIALS = `Authorization: Bearer ${TEST_TOKEN}`;
const JSON_TYPE = 'Content-Type: application/json';
const LISTS = '/api/secrets/lists';

let server: ListeningServer;
beforeAll(async () => {
  server = await startListeningServer();
});
afterAll(() => server.end());

async function listNames(): Promise<string[]> {
  const { json } = await server.request('GET', LISTS);
  return json.data.map(({ name }: { name: string }) => name);
}

function creation(name: string, headers: string[] = [CREDENTIALS]): string {
  const body = JSON.stringify({ name });
  return rawRequest(`POST ${LISTS}`, [...headers, JSON_TYPE, `Content-Length: ${body.length}`], body);
}

describe('Expect', () => {
  test('anything but 100-continue is answered with 417 and does nothing', async () => {
    expectRefusal(await askRaw(server.port, creation('bogus', [CREDENTIALS, 'Expect: bogus'])), 417);
    expect(await listNames()).not.toContain('bogus');
  });

  test('100-continue is answered before the body is sent', async () => {
    const connection = await openRaw(server.port);
    const body = '{"name":"continued"}';
    const headers = [CREDENTIALS, JSON_TYPE, 'Expect: 100-continue', `Content-Length: ${body.length}`];
    connection.send(rawRequest(`POST ${LISTS}`, headers));
    expect((await connection.answer()).status).toBe(100);
    connection.send(body);
    expect((await connection.answer()).json).toMatchObject({ code: 200, data: { name: 'continued' } });
    connection.destroy();
  });
});

describe('pipelined requests', () => {
  test('are each authorised on their own, and answered in order', async () => {
    const connection = await openRaw(server.port);
    const { token: readingToken } = await server.newKey('default', 'read');
    connection.send(
      [
        creation('piped-1'),
        creation('piped-2', []),
        creation('piped-3', ['Authorization: Bearer wrong']),
        creation('piped-4', [`Authorization: Bearer ${readingToken}`]),
        creation('piped-5'),
        rawRequest(`GET ${LISTS}`),
      ].join(''),
    );
    const statuses: number[] = [];
    for (let i = 0; i < 6; i += 1) statuses.push((await connection.answer()).status);
    expect(statuses).toEqual([200, 401, 401, 403, 200, 401]);
    const names = (await listNames()).filter((name) => name.startsWith('piped'));
    expect(names).toEqual(['piped-1', 'piped-5']);
    connection.destroy();
  });

  test('in the body of another are its body, not requests', async () => {
    const connection = await openRaw(server.port);
    const inner = creation('smuggled');
    connection.send(rawRequest(`GET ${LISTS}`, [CREDENTIALS, JSON_TYPE, `Content-Length: ${inner.length}`], inner));
    connection.send(rawRequest('GET /healthz', ['Connection: close']));
    expect((await connection.answer()).headers.get('content-type')).toContain('json');
    expect((await connection.answer()).body).toBe('{"status":"ok"}');
    expect(await listNames()).not.toContain('smuggled');
  });

  test('behind a refused one are not looked at', async () => {
    const connection = await openRaw(server.port);
    connection.send(`FROB / HTTP/1.1\r\nHost: localhost\r\n\r\n${creation('behind')}`);
    expectRefusal(await connection.answer(), 400);
    expect(await connection.closesWithin(1_000)).toBe(true);
    expect(await listNames()).not.toContain('behind');
  });
});

describe('a known path with another method is answered with 405 and Allow', () => {
  const METHODS = [
    'PROPFIND',
    'QUERY',
    'TRACE',
    'PATCH',
    'PUT',
    'OPTIONS',
    'LOCK',
    'MKCOL',
    'PURGE',
    'SEARCH',
    'UNLINK',
  ];

  test.each([
    [LISTS, ['GET', 'HEAD', 'POST']],
    [`${LISTS}/1`, ['DELETE', 'GET', 'HEAD', 'POST']],
    [`${LISTS}/1/values`, ['GET', 'HEAD', 'POST']],
    [`${LISTS}/1/values/1`, ['DELETE', 'GET', 'HEAD', 'POST']],
    ['/api/secrets/all-values', ['GET', 'HEAD']],
    ['/healthz', ['GET', 'HEAD']],
    ['/readyz', ['GET', 'HEAD']],
    ['/openapi.yaml', ['GET', 'HEAD']],
    ['/docs', ['GET', 'HEAD']],
  ])('%s', async (path, allowed) => {
    const connection = await openRaw(server.port);
    for (const method of METHODS) {
      connection.send(rawRequest(`${method} ${path}`, [CREDENTIALS]));
      const answer = await connection.answer();
      expectRefusal(answer, 405);
      expect(answer.headers.get('allow')?.split(', ').sort(), method).toEqual(allowed);
    }
    connection.destroy();
  });

  test('TRACE echoes nothing', async () => {
    const answer = await askRaw(server.port, rawRequest('TRACE /healthz', ['X-Canary: the-canary-of-trace']));
    expect(answer.text).not.toContain('canary');
  });

  test('HEAD is answered like GET, without the body', async () => {
    const connection = await openRaw(server.port);
    connection.send(rawRequest(`HEAD ${LISTS}`, [CREDENTIALS]));
    const answer = await connection.answer({ withoutBody: true });
    expect(answer.status).toBe(200);
    expect(Number(answer.headers.get('content-length'))).toBeGreaterThan(50);
    expectCommonHeaders(answer);
    connection.send(rawRequest('GET /healthz'));
    expect((await connection.answer()).body).toBe('{"status":"ok"}');
    connection.destroy();
  });
});

describe('headers of strangers', () => {
  test('that claim another address change nothing in the audit trail', async () => {
    const claims = [
      'X-Forwarded-For: 203.0.113.7',
      'Forwarded: for=203.0.113.7;host=evil.example',
      'X-Real-IP: 203.0.113.7',
      'X-Client-IP: 203.0.113.7',
      'True-Client-IP: 203.0.113.7',
      'X-Forwarded-Host: evil.example',
      'X-Forwarded-Proto: https',
      'X-Request-Id: evil.example',
    ];
    // Earlier tests refuse so much at once that it is counted, without ids; that group must be over.
    await sleep(200);
    const done = await askRaw(server.port, creation('forwarded', [CREDENTIALS, ...claims]));
    const refused = await askRaw(server.port, creation('forwarded', claims));
    expect([done.status, refused.status]).toEqual([200, 401]);
    expect(done.text + refused.text).not.toContain('evil.example');

    const database = new Database(join(server.config.dataDirectory, 'secret-manager.db'), { readonly: true });
    const select = database.prepare('SELECT outcome, address FROM audit_events WHERE request_id = ?');
    await expect.poll(() => select.get(refused.headers.get('x-request-id')), { timeout: 5_000 }).toBeDefined();
    expect(select.get(done.headers.get('x-request-id'))).toEqual({ outcome: 'success', address: '127.0.0.1' });
    expect(select.get(refused.headers.get('x-request-id'))).toEqual({ outcome: 'refused', address: '127.0.0.1' });
    const everything = JSON.stringify(database.prepare('SELECT * FROM audit_events').all());
    expect(everything).not.toContain('203.0.113.7');
    expect(everything).not.toContain('evil.example');
    database.close();
  });

  test('that claim another host appear in no answer', async () => {
    const paths = [LISTS, `${LISTS}/`, '/nothing', '/healthz', '/readyz', '/openapi.yaml', '//evil.example/..'];
    const docs = [
      '/docs',
      '/docs/',
      '/docs/json',
      '/docs/yaml',
      '/docs/static/index.html',
      '/docs/static/swagger-initializer.js',
    ];
    for (const path of [...paths, ...docs]) {
      const request = `GET ${path} HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\nConnection: close\r\n\r\n`;
      const answer = await askRaw(server.port, request);
      expect(answer.status, path).toBeLessThan(500);
      expect(answer.text, path).not.toContain('evil.example');
      expectCommonHeaders(answer);
    }
  });
});

describe('a client that goes away', () => {
  test.each([
    ['in a body with Content-Length', 'Content-Length: 2000', '{"name":"aborted","x":"'],
    ['in a complete JSON document that should have gone on', 'Content-Length: 2000', '{"name":"aborted"}'],
    ['between two chunks', 'Transfer-Encoding: chunked', '12\r\n{"name":"aborted"}\r\n'],
  ])('%s leaves no row', async (_what, framing, beginning) => {
    const connection = await openRaw(server.port);
    connection.send(rawRequest(`POST ${LISTS}`, [CREDENTIALS, JSON_TYPE, framing], beginning));
    await new Promise((resolve) => setTimeout(resolve, 20));
    connection.destroy();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect((await askRaw(server.port, rawRequest('GET /readyz'))).status).toBe(200);
    expect(await listNames()).not.toContain('aborted');
  });
});
