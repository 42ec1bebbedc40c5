// How much the server takes on at once: what is too much gets 503 before its body is read, and everything that was
// taken is given back on every way out.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { SERVER_BOUNDS } from '../../src/domain/limits.ts';
import { fillBody, fillPath, readOperations } from '../http/api-operations.ts';
import { expectRefusal, type ListeningServer, startListeningServer } from '../support/listening-server.ts';
import { askRaw, openRaw, type RawConnection, rawRequest } from '../support/raw-client.ts';
import { TEST_TOKEN } from '../support/test-server.ts';

const MIB = 1_048_576;
const BOUNDS = { requestsInFlight: 4, bodyBytesInFlight: 6 * MIB };
const CREDENTIALS = `Authorization: Bearer ${TEST_TOKEN}`;
const JSON_TYPE = 'Content-Type: application/json';
const CHUNKED = 'Transfer-Encoding: chunked';
const LISTS = '/api/secrets/lists';
const GET_LISTS = rawRequest(`GET ${LISTS}`, [CREDENTIALS]);
const UNKNOWN_SEED = `/nocloud/sms_${'0'.repeat(49)}`;
/** Takes a while on the rendering thread. */
const SLOW_DOCUMENT = `#cloud-config\nwrite_files:\n${'- {path: /a, content: b}\n'.repeat(12_000)}`;
const RENDER = rawRequest(
  'POST /api/cloud-init/render',
  [CREDENTIALS, 'Content-Type: text/plain', `Content-Length: ${SLOW_DOCUMENT.length}`],
  SLOW_DOCUMENT,
);

let server: ListeningServer;
beforeAll(async () => {
  server = await startListeningServer({}, BOUNDS);
});
afterAll(() => server.end());

function load() {
  return { ...server.app.load };
}

async function expectLoad(requests: number, bodyBytes: number): Promise<void> {
  await vi.waitFor(() => expect(load()).toEqual({ requests, bodyBytes }), { timeout: 10_000, interval: 5 });
}

/** A request whose body never ends by itself. */
async function beginUpload(framing: string, bytes: string, path = LISTS): Promise<RawConnection> {
  const connection = await openRaw(server.port);
  connection.send(rawRequest(`POST ${path}`, [CREDENTIALS, JSON_TYPE, framing], bytes));
  return connection;
}

function expectBusy(answer: Awaited<ReturnType<typeof askRaw>>, sentence: RegExp): void {
  expectRefusal(answer, 503);
  expect(answer.headers.get('retry-after')).toBe('1');
  expect(answer.json.message).toMatch(sentence);
}

describe('requests', () => {
  test('more than the bound get 503, with a key or without, until one is answered', async () => {
    const uploads: RawConnection[] = [];
    for (let i = 0; i < BOUNDS.requestsInFlight; i += 1) uploads.push(await beginUpload('Content-Length: 2', '{'));
    await expectLoad(BOUNDS.requestsInFlight, 2 * BOUNDS.requestsInFlight);
    expectBusy(await askRaw(server.port, GET_LISTS), /as many requests/);
    expectBusy(await askRaw(server.port, rawRequest(`GET ${LISTS}`)), /as many requests/);
    expectBusy(await askRaw(server.port, rawRequest(`GET ${UNKNOWN_SEED}/meta-data`)), /as many requests/);
    expectBusy(await askRaw(server.port, rawRequest('GET /readyz')), /as many requests/);
    expect((await askRaw(server.port, rawRequest('GET /healthz'))).status).toBe(200);

    uploads[0]?.send('}');
    expect((await uploads[0]?.answer())?.status).toBe(200);
    expect((await askRaw(server.port, GET_LISTS)).status).toBe(200);
    for (const upload of uploads) upload.destroy();
    await expectLoad(0, 0);
  });

  test('are answered before their body arrives when they are too many', async () => {
    const uploads: RawConnection[] = [];
    for (let i = 0; i < BOUNDS.requestsInFlight; i += 1) uploads.push(await beginUpload('Content-Length: 2', '{'));
    const late = await beginUpload('Content-Length: 1000', '');
    expectBusy(await late.answer(), /as many requests/);
    for (const connection of [...uploads, late]) connection.destroy();
    await expectLoad(0, 0);
  });

  test('idle connections are none', async () => {
    const idle = await Promise.all(Array.from({ length: 50 }, () => openRaw(server.port)));
    for (const [i, connection] of idle.entries()) {
      if (i % 2 === 0) connection.send(GET_LISTS);
      if (i % 2 === 0) expect((await connection.answer()).status).toBe(200);
      else connection.send('GET /api/secrets/lists HTTP/1.1\r\nHost: loc');
    }
    await expectLoad(0, 0);
    expect((await askRaw(server.port, GET_LISTS)).status).toBe(200);
    for (const connection of idle) connection.destroy();
  });

  test('of a thousand machines at once fit', () => {
    expect(SERVER_BOUNDS.requestsInFlight).toBeGreaterThan(2_000);
  });
});

describe('bodies', () => {
  test('count with their Content-Length before they arrive, and get 503 over the bound', async () => {
    const large = await beginUpload(`Content-Length: ${4 * MIB}`, '{');
    await expectLoad(1, 4 * MIB);
    const more = await beginUpload(`Content-Length: ${2 * MIB + 1}`, '');
    expectBusy(await more.answer(), /request bodies/);
    const fitting = await beginUpload(`Content-Length: ${2 * MIB}`, '{');
    await expectLoad(2, 6 * MIB);
    expectBusy(
      await askRaw(server.port, rawRequest(`POST ${LISTS}`, [CREDENTIALS, 'Content-Length: 1'], 'x')),
      /bodies/,
    );
    expect((await askRaw(server.port, GET_LISTS)).status).toBe(200);
    expect((await askRaw(server.port, rawRequest(`POST ${LISTS}`, [CREDENTIALS]))).status).toBe(200);
    for (const connection of [large, more, fitting]) connection.destroy();
    await expectLoad(0, 0);
  });

  test('that are chunked count with the most they may be', async () => {
    const chunked = await beginUpload(CHUNKED, '1\r\n{\r\n');
    await expectLoad(1, 4 * MIB);
    const second = await beginUpload(CHUNKED, '');
    expectBusy(await second.answer(), /request bodies/);
    chunked.send('1\r\n}\r\n0\r\n\r\n');
    expect((await chunked.answer()).status).toBe(200);
    await expectLoad(0, 0);
    for (const connection of [chunked, second]) connection.destroy();
  });

  test('of more than the most count with no more, and get 413', async () => {
    const connection = await beginUpload(`Content-Length: ${40 * MIB}`, '');
    expectRefusal(await connection.answer(), 413);
    await expectLoad(0, 0);
    connection.destroy();
  });

  test('of methods that have none do not count', async () => {
    for (const method of ['GET', 'HEAD']) {
      const connection = await openRaw(server.port);
      connection.send(rawRequest(`${method} ${LISTS}`, [CREDENTIALS, 'Content-Length: 7000000']));
      expect((await connection.answer({ withoutBody: method === 'HEAD' })).status).toBe(200);
      connection.destroy();
    }
    await expectLoad(0, 0);
  });

  test.each([
    ['without a key', `POST ${LISTS}`, 401],
    ['for a seed that is not there', `POST ${UNKNOWN_SEED}/phone-home`, 404],
    ['for a path that is not there', 'POST /nothing', 404],
    ['for a path of /api that is not there', 'POST /api/nothing', 401],
    ['with a method that is not there', 'PUT /healthz', 405],
  ])('%s are answered without waiting for them', async (_, requestLine, status) => {
    const connection = await openRaw(server.port);
    connection.send(rawRequest(requestLine, [JSON_TYPE, `Content-Length: ${4 * MIB}`], '{'));
    const answer = await connection.answer();
    expect([answer.status, answer.json.code]).toEqual([status, status]);
    await expectLoad(0, 0);
    connection.destroy();
  });
});

describe('nothing is held any more', () => {
  test.each([
    ['with a Content-Length', `Content-Length: ${MIB}`, '{', MIB],
    ['in chunks', CHUNKED, '1\r\n{\r\n', 4 * MIB],
    ['before the first byte', `Content-Length: ${MIB}`, '', MIB],
  ])('when the client goes in the middle of a body %s', async (_, framing, bytes, held) => {
    const connection = await beginUpload(framing, bytes);
    await expectLoad(1, held);
    connection.destroy();
    await expectLoad(0, 0);
  });

  test('when the client goes while its request is worked on', async () => {
    const connection = await openRaw(server.port);
    connection.send(RENDER);
    await expectLoad(1, SLOW_DOCUMENT.length);
    connection.destroy();
    await expectLoad(0, 0);
  });

  test('when the client goes with several requests on their way', async () => {
    const connection = await openRaw(server.port);
    connection.send(RENDER + RENDER + GET_LISTS);
    await vi.waitFor(() => expect(load().requests).toBeGreaterThan(1), { interval: 1 });
    connection.destroy();
    await expectLoad(0, 0);
  });

  test('when a body is too slow', async () => {
    const slow = await startListeningServer({}, BOUNDS);
    Object.assign(slow.app.server, { headersTimeout: 200, requestTimeout: 200 });
    const connection = await openRaw(slow.port);
    connection.send(rawRequest(`POST ${LISTS}`, [CREDENTIALS, JSON_TYPE, 'Content-Length: 20'], '{'));
    await vi.waitFor(() => expect(slow.app.load).toEqual({ requests: 1, bodyBytes: 20 }));
    expectRefusal(await connection.answer(), 408);
    await vi.waitFor(() => expect(slow.app.load).toEqual({ requests: 0, bodyBytes: 0 }));
    await slow.end();
  });

  test.each([
    ['malformed', '{', 400],
    ['of the wrong type', '{"name":5}', 422],
    ['too large', 'x'.repeat(4 * MIB + 1), 413],
  ])('when a body was %s', async (_, body, status) => {
    const headers = [CREDENTIALS, JSON_TYPE, `Content-Length: ${body.length}`];
    expect((await askRaw(server.port, rawRequest(`POST ${LISTS}`, headers, body))).status).toBe(status);
    await expectLoad(0, 0);
  });

  test.each(readOperations().map((operation) => [`${operation.method} ${operation.path}`, operation] as const))(
    'when it was answered: %s',
    async (_, operation) => {
      const url = fillPath(operation, 'nothing', 'nothing');
      const body = JSON.stringify(fillBody(operation) ?? {});
      for (const credentials of [[CREDENTIALS], []]) {
        const headers = [...credentials, JSON_TYPE, `Content-Length: ${body.length}`];
        const answer = await askRaw(server.port, rawRequest(`${operation.method} ${url}`, headers, body));
        expect(answer.status).not.toBe(503);
        await expectLoad(0, 0);
      }
    },
  );

  test('when it was answered outside of /api', async () => {
    for (const path of [
      '/healthz',
      '/readyz',
      '/docs',
      '/docs/',
      '/openapi.yaml',
      '/',
      '/%zz',
      `${UNKNOWN_SEED}/user-data`,
    ]) {
      for (const method of ['GET', 'POST']) {
        await server.request(method, path, { token: null });
        expect([path, load()]).toEqual([path, { requests: 0, bodyBytes: 0 }]);
      }
    }
  });

  test('and never less than nothing', async () => {
    await sleep(50);
    expect(load()).toEqual({ requests: 0, bodyBytes: 0 });
  });
});
