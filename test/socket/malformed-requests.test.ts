// What isn't well-formed HTTP gets our envelope and does nothing; inject() would never reach Node's parser.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  expectCommonHeaders,
  expectRefusal,
  type ListeningServer,
  startListeningServer,
} from '../support/listening-server.ts';
import { askRaw, openRaw, rawRequest } from '../support/raw-client.ts';
import { TEST_TOKEN } from '../support/test-server.ts';

const LISTS = `/api/secrets/lists?key=${TEST_TOKEN}`;
const CRLF = '\r\n';

/** A creation that would work, but for what is given. */
function create(headers: string[], body = '{}'): string {
  return rawRequest(`POST ${LISTS}`, ['Content-Type: application/json', ...headers], body);
}

let server: ListeningServer;
beforeAll(async () => {
  server = await startListeningServer();
});
afterAll(() => server.end());

describe('what the parser refuses is answered with 400 and closed, and nothing is done', () => {
  test.each([
    ['Content-Length with Transfer-Encoding', create(['Content-Length: 2', 'Transfer-Encoding: chunked'], '0\r\n\r\n')],
    ['Transfer-Encoding with Content-Length', create(['Transfer-Encoding: chunked', 'Content-Length: 2'], '0\r\n\r\n')],
    ['two different Content-Lengths', create(['Content-Length: 2', 'Content-Length: 3'], '{} ')],
    ['a list as Content-Length', create(['Content-Length: 2, 3'])],
    ['a Content-Length with a sign', create(['Content-Length: +2'])],
    ['a negative Content-Length', create(['Content-Length: -2'])],
    ['a hexadecimal Content-Length', create(['Content-Length: 0x2'])],
    ['a Content-Length of 23 digits', create(['Content-Length: 99999999999999999999999'])],
    ['an unknown transfer coding', create(['Transfer-Encoding: xchunked'], '0\r\n\r\n')],
    ['chunked that is not the last coding', create(['Transfer-Encoding: chunked, identity'], '0\r\n\r\n')],
    ['a chunk size that is no number', create(['Transfer-Encoding: chunked'], 'zz\r\n{}\r\n0\r\n\r\n')],
    ['chunks that end in a bare LF', create(['Transfer-Encoding: chunked'], '2\n{}\n0\n\n')],
    ['lines that end in a bare LF', `GET ${LISTS} HTTP/1.1\nHost: localhost\n\n`],
    ['one header that ends in a bare LF', `GET ${LISTS} HTTP/1.1\r\nHost: localhost\nX-A: b\r\n\r\n`],
    ['a bare CR', `GET ${LISTS} HTTP/1.1\r\nHost: localhost\rX-A: b\r\n\r\n`],
    ['obs-fold', rawRequest(`GET ${LISTS}`, ['X-A: a', ' folded'])],
    ['obs-fold around the key', rawRequest('GET /api/secrets/lists', ['Authorization: Bearer', ` ${TEST_TOKEN}`])],
    ['a space before the colon', rawRequest(`GET ${LISTS}`, ['X-A : a'])],
    ['a header without a colon', rawRequest(`GET ${LISTS}`, ['garbage'])],
    ['a header without a name', rawRequest(`GET ${LISTS}`, [': garbage'])],
    ['NUL in a header', rawRequest(`GET ${LISTS}`, ['X-A: a\0b'])],
    ['an unknown method', rawRequest(`FROB ${LISTS}`)],
    ['a method in lower case', rawRequest(`get ${LISTS}`)],
    ['a space in the target', rawRequest(`GET /api/secrets/li sts?key=${TEST_TOKEN}`)],
    ['a target without a slash', rawRequest(`GET ${LISTS.slice(1)}`)],
    ['bytes beyond ASCII in the target', rawRequest(`GET /api/secrets/lists/é?key=${TEST_TOKEN}`)],
    ['the preface of HTTP/2', `PRI * HTTP/2.0${CRLF}${CRLF}SM${CRLF}${CRLF}`],
    ['the beginning of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('%s', async (_what, bytes) => {
    const connection = await openRaw(server.port);
    connection.send(bytes);
    const answer = await connection.answer();
    expectRefusal(answer, 400);
    expect(answer.headers.get('connection')).toBe('close');
    expect(await connection.closesWithin(1_000)).toBe(true);

    const requestId = answer.headers.get('x-request-id') ?? '';
    const logged = server.logLines.filter((line) => line.includes(requestId));
    expect(logged).toHaveLength(1);
    expect(JSON.parse(logged[0] ?? '')).toMatchObject({ status: 400, requestId });
    expect(server.logLines.join('')).not.toContain(TEST_TOKEN);
    expect((await server.request('GET', '/api/secrets/lists')).json.data).toEqual([]);
  });

  test('CONNECT opens no tunnel', async () => {
    const connection = await openRaw(server.port);
    connection.send(`CONNECT localhost:${server.port} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const answer = await connection.answer().catch(() => undefined);
    if (answer !== undefined) expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(await connection.closesWithin(1_000)).toBe(true);
  });
});

describe('what our own rules refuse is answered with 400, and the connection stays in step', () => {
  test.each([
    ['no Host', `GET ${LISTS} HTTP/1.1\r\n\r\n`],
    ['two Hosts', rawRequest(`GET ${LISTS}`, ['Host: localhost'])],
    ['an absolute-form target', rawRequest(`GET http://localhost${LISTS}`)],
    ['an absolute-form target of another host', rawRequest(`GET http://evil.example${LISTS}`)],
    ['OPTIONS *', rawRequest('OPTIONS *')],
    ['bad percent-encoding in the path', rawRequest(`GET /api/secrets/lists/%zz?key=${TEST_TOKEN}`)],
    ['half of a percent-encoding', rawRequest(`GET /api/secrets/lists/a%?key=${TEST_TOKEN}`)],
    ['percent-encoding that is not UTF-8', rawRequest(`GET /api/secrets/lists/%ff?key=${TEST_TOKEN}`)],
    ['bad percent-encoding outside of the API', rawRequest('GET /healthz%zz')],
    [
      'two Authorization headers',
      rawRequest('GET /api/secrets/lists', Array(2).fill(`Authorization: Bearer ${TEST_TOKEN}`)),
    ],
    ['a key in the query and one in the header', rawRequest(`GET ${LISTS}`, [`Authorization: Bearer ${TEST_TOKEN}`])],
  ])('%s', async (_what, bytes) => {
    const connection = await openRaw(server.port);
    connection.send(bytes);
    const answer = await connection.answer();
    expectRefusal(answer, 400);
    expect(answer.text).not.toContain('evil.example');
    expect(server.logLines.join('')).not.toContain(TEST_TOKEN);
    expect(server.logLines.join('')).not.toContain('evil.example');
    if (answer.headers.get('connection') === 'close') {
      expect(await connection.closesWithin(1_000)).toBe(true);
    } else {
      connection.send(rawRequest('GET /healthz'));
      expect((await connection.answer()).status).toBe(200);
      connection.destroy();
    }
  });

  test('a key of bad percent-encoding is a wrong key, not a wrong path', async () => {
    expectRefusal(await askRaw(server.port, rawRequest('GET /api/secrets/lists?key=%zz')), 401);
  });

  test('HTTP/1.0 needs no Host and is closed after its answer', async () => {
    const connection = await openRaw(server.port);
    connection.send(`GET ${LISTS} HTTP/1.0\r\n\r\n`);
    const answer = await connection.answer();
    expect(answer.status).toBe(200);
    expectCommonHeaders(answer);
    expect(await connection.closesWithin(1_000)).toBe(true);
  });
});
