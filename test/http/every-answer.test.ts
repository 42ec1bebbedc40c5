// Envelope and headers hold for every status, and no fault of a body gets another answer than its envelope.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { wellFormedText } from '../domain/unicode-text.ts';
import { type Answer, startTestServer, TEST_TOKEN, type TestServer } from '../support/test-server.ts';
import { expectCommonHeaders, expectEnvelope, expectFailure, expectSuccess, FORM, JSON_TYPE } from './api-answers.ts';
import { query } from './database-file.ts';

const LISTS = '/api/secrets/lists';
const VALUES = `${LISTS}/home/values`;
let server: TestServer;
let reader: string;
let damagedId: number;

beforeAll(async () => {
  server = await startTestServer();
  reader = (await server.newKey('default', 'read')).token;
  await server.request('POST', LISTS, { body: { name: 'home' } });
  await server.request('POST', VALUES, { body: { secret_key: 'K', secret_value: 'v' } });
  const body = { secret_key: 'DAMAGED', secret_value: 'canary-value' };
  await server.request('POST', LISTS, { body: { name: 'damaged' } });
  damagedId = expectSuccess(await server.request('POST', `${LISTS}/damaged/values`, { body })).id;
  query(server, "UPDATE secret_values SET sealed_value = zeroblob(60) WHERE secret_key = 'DAMAGED'");
});
afterAll(() => server.close());

const ANSWERS: [number, string, () => Promise<Answer>][] = [
  [200, 'a read', () => server.request('GET', LISTS)],
  [200, 'a creation', () => server.request('POST', LISTS)],
  [200, 'an update', () => server.request('POST', `${VALUES}/K`, { body: { secret_value: 'w' } })],
  [
    200,
    'a deletion',
    async () => {
      const { id } = expectSuccess(await server.request('POST', LISTS));
      return await server.request('DELETE', `${LISTS}/${id}`);
    },
  ],
  [400, 'a target that is badly encoded', () => server.request('GET', `${LISTS}/%zz`)],
  [400, 'malformed JSON', () => server.request('POST', LISTS, { headers: JSON_TYPE, body: '{' })],
  [400, 'two credentials', () => server.request('GET', `${LISTS}?key=${TEST_TOKEN}`)],
  [400, 'two Host headers', () => server.request('GET', LISTS, { headers: { host: ['a', 'b'] } })],
  [401, 'no key', () => server.request('GET', LISTS, { token: null })],
  [403, 'a key that may only read', () => server.request('POST', LISTS, { token: reader })],
  [404, 'an unknown list', () => server.request('GET', `${LISTS}/nothing`)],
  [404, 'an unknown value', () => server.request('GET', `${VALUES}/NOTHING`)],
  [404, 'an unknown path under /api', () => server.request('GET', '/api/nothing')],
  [404, 'an unknown path elsewhere', () => server.request('GET', '/nothing', { token: null })],
  [404, 'the root', () => server.request('GET', '/', { token: null })],
  [405, 'another method', () => server.request('PUT', LISTS)],
  [405, 'another method on /healthz', () => server.request('POST', '/healthz', { token: null })],
  [413, 'too large a body', () => server.request('POST', LISTS, { headers: FORM, body: 'x'.repeat(4_194_305) })],
  [414, 'too long a target', () => server.request('GET', `${LISTS}/${'x'.repeat(8_200)}`)],
  [
    415,
    'another content type',
    () => server.request('POST', LISTS, { headers: { 'content-type': 'text/xml' }, body: '<x/>' }),
  ],
  [422, 'a field of another type', () => server.request('POST', LISTS, { body: { name: 5 } })],
  [422, 'a name that is taken', () => server.request('POST', LISTS, { body: { name: 'home' } })],
  [500, 'a value that was damaged in the database', () => server.request('GET', `${LISTS}/damaged/values/DAMAGED`)],
];

describe('every answer has the envelope and the headers', () => {
  test.each(ANSWERS)('%i for %s', async (status, _, send) => {
    const answer = await send();
    if (status === 200) expectSuccess(answer);
    else expectFailure(answer, status);
  });

  test('outside of /api too', async () => {
    for (const path of [
      '/healthz',
      '/readyz',
      '/docs',
      '/docs/',
      '/docs/static/swagger-ui.css',
      '/openapi.yaml',
      '/docs/json',
    ]) {
      const answer = await server.request('GET', path, { token: null });
      expect([path, answer.status]).toEqual([path, 200]);
      expectCommonHeaders(answer);
    }
  });

  test('and an id of its own, whatever the client says', async () => {
    const headers = { 'x-request-id': 'chosen', 'request-id': 'chosen', 'x-correlation-id': 'chosen' };
    const answers = [
      await server.request('GET', LISTS, { headers }),
      await server.request('GET', LISTS, { headers }),
      await server.request('GET', '/nothing', { headers }),
      await server.request('GET', '/%zz', { headers }),
    ];
    for (const answer of answers) expectCommonHeaders(answer);
    expect(new Set(answers.map((answer) => answer.headers['x-request-id'])).size).toBe(4);
  });

  test('and its id and status are in one line of the log', async () => {
    for (const [status, , send] of ANSWERS) {
      const logged = server.logLines.length;
      const { headers } = await send();
      const lines = server.logLines.slice(logged).map((line) => JSON.parse(line));
      expect(lines.filter(({ msg, requestId }) => msg === 'request' && requestId === headers['x-request-id'])).toEqual([
        expect.objectContaining({ level: 'info', status }),
      ]);
    }
  });

  test('and no cookie, no server name, no other origin', async () => {
    for (const [, , send] of ANSWERS) {
      const { headers } = await send();
      for (const name of ['set-cookie', 'server', 'x-powered-by', 'access-control-allow-origin', 'location']) {
        expect(headers[name]).toBeUndefined();
      }
    }
  });
});

describe('a 404', () => {
  test('never repeats what was asked for', async () => {
    for (const path of [
      '/canary?canary=1',
      '/api/canary?x=canary',
      `${LISTS}/canary`,
      `${VALUES}/canary`,
      '/docs/canary',
    ]) {
      const answer = await server.request('GET', path);
      expect([path, answer.status]).toEqual([path, 404]);
      expect(answer.text).not.toContain('canary');
    }
  });
});

describe('a 500', () => {
  test('has a fixed message, and the log has an alarm and an error with its request id', async () => {
    const logged = server.logLines.length;
    const answer = await server.request('GET', `${LISTS}/damaged/values/DAMAGED`);
    expectFailure(answer, 500);
    expect(answer.json.message).toBe('Something went wrong on the server; its log has more under this request id.');
    const lines = server.logLines.slice(logged).map((line) => JSON.parse(line));
    expect(lines).toContainEqual(
      expect.objectContaining({ level: 'error', valueId: damagedId, msg: expect.stringContaining('ALARM') }),
    );
    expect(lines).toContainEqual(
      expect.objectContaining({ level: 'error', requestId: answer.headers['x-request-id'], msg: 'request failed' }),
    );
  });

  test('is for the damaged value alone: others are read as ever', async () => {
    expectSuccess(await server.request('GET', `${VALUES}/K`));
    expectSuccess(await server.request('GET', VALUES));
  });

  test('is no obstacle to overwriting or deleting the damaged value', async () => {
    const url = `${LISTS}/damaged/values/DAMAGED`;
    expectFailure(await server.request('POST', url, { body: { secret_key: 'RENAMED' } }), 500);
    expectSuccess(await server.request('POST', url, { body: { secret_value: 'whole again' } }));
    expect(expectSuccess(await server.request('GET', url)).secret_value).toBe('whole again');
    query(server, "UPDATE secret_values SET sealed_value = zeroblob(60) WHERE secret_key = 'DAMAGED'");
    expectSuccess(await server.request('DELETE', url));
  });
});

describe('any body at all', () => {
  const canary = 'CANARY-5f1d';
  const text = fc
    .oneof(wellFormedText(20), fc.constantFrom('', ' ', 'x'.repeat(256), 'home', 'K', '\ud800', 'a\u0000', '{'))
    .map((each) => `${each}${canary}`);
  const field = fc.constantFrom('name', 'secret_key', 'secret_value', 'other', '__proto__', 'constructor');
  const anything = fc.oneof(text, fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(null, 0, true, [], {}, [canary]));
  const json = fc
    .oneof(
      fc
        .array(fc.tuple(field, anything), { maxLength: 4 })
        .map((pairs) => `{${pairs.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join()}}`),
      fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value)),
      wellFormedText().map((each) => `${each}${canary}`),
    )
    .map((body) => ({ headers: JSON_TYPE, body }));
  const form = fc
    .array(fc.tuple(field, fc.oneof(fc.constantFrom('', canary, '%', `${canary}%zz`, 'a%00'), fc.webFragments())), {
      maxLength: 4,
    })
    .map((pairs) => ({ headers: FORM, body: pairs.map((pair) => pair.join('=')).join('&') }));
  const target = fc.constantFrom(LISTS, `${LISTS}/home`, VALUES, `${VALUES}/K`, `${LISTS}/nothing/values`);

  test('gets an envelope without a word of what was sent, and no 5xx', async () => {
    const seen = new Set<number>();
    await fc.assert(
      fc.asyncProperty(target, fc.oneof(json, form), async (url, options) => {
        const answer = await server.request('POST', url, { ...options, token: TEST_TOKEN });
        expectEnvelope(answer);
        seen.add(answer.status);
        expect([200, 400, 404, 422]).toContain(answer.status);
        if (answer.status !== 200) expect(answer.text).not.toContain(canary);
        else await restore(url, answer.json.data.id);
      }),
      { numRuns: 300 },
    );
    expect([...seen]).toEqual(expect.arrayContaining([200, 400, 422]));
  });

  /** So that `home` and `K` keep their names. */
  async function restore(url: string, id: number): Promise<void> {
    if (url === `${LISTS}/home`) await server.request('POST', `${LISTS}/${id}`, { body: { name: 'home' } });
    if (url === `${VALUES}/K`) await server.request('POST', `${VALUES}/${id}`, { body: { secret_key: 'K' } });
  }
});
