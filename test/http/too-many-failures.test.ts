// 429: what an address gets that sent too many wrong keys or tokens, and what everybody else gets meanwhile.

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { SERVER_BOUNDS } from '../../src/domain/limits.ts';
import { type Answer, startTestServer, TEST_TOKEN, type TestServer } from '../support/test-server.ts';
import { expectFailure, expectSuccess, JSON_TYPE } from './api-answers.ts';
import { readAuditRows } from './database-file.ts';
import { fetchSeed, newInstance, phoneHome } from './seed-stage.ts';

const LISTS = '/api/secrets/lists';
const { failureBurst } = SERVER_BOUNDS;
const UNKNOWN_SEED = { seed: `/nocloud/sms_${'0'.repeat(49)}/` };
const BOUNDS = { failureBurst, failuresPerSecond: 0.001 };

let server: TestServer;
let addresses = 0;

beforeAll(async () => {
  server = await startTestServer({}, BOUNDS);
});
afterAll(() => server.close());

function newAddress(): string {
  addresses += 1;
  return `198.51.100.${addresses}`;
}

function ask(address: string, token: string | null, url = LISTS, method = 'GET'): Promise<Answer> {
  return server.request(method, url, { address, token });
}

/** An address that has used up its failures. */
async function limitedAddress(): Promise<string> {
  const address = newAddress();
  for (let i = 0; i < failureBurst; i += 1) expectFailure(await ask(address, `wrong-${i}`), 401);
  return address;
}

function expectLimited(answer: Answer): void {
  expectFailure(answer, 429);
  expect(answer.headers['retry-after']).toBe('1');
}

describe('from an address that sent too many wrong keys', () => {
  test.each([
    ['a wrong key', (address: string) => ask(address, 'wrong')],
    ['a malformed key', (address: string) => ask(address, 'smk_malformed')],
    ['no key', (address: string) => ask(address, null)],
    ['two keys', (address: string) => ask(address, 'wrong', `${LISTS}?key=wrong`)],
    ['a wrong key for a path that is not there', (address: string) => ask(address, 'wrong', '/api/nothing')],
    ['a wrong key and a method that is not there', (address: string) => ask(address, 'wrong', LISTS, 'PUT')],
  ])('%s gets 429', async (_, send) => {
    expectLimited(await send(await limitedAddress()));
  });

  test('a revoked key and an expired key get 429', async () => {
    const revoked = await server.newKey('default');
    await server.revokeKey(revoked.id);
    const expired = await server.newKey('default', 'write', new Date(Date.now() + 1));
    await new Promise((resolve) => setTimeout(resolve, 5));
    const address = await limitedAddress();
    for (const { token } of [revoked, expired]) expectLimited(await ask(address, token));
  });

  test('a body is not read, whatever is in it', async () => {
    const address = await limitedAddress();
    const options = { address, token: 'wrong', headers: JSON_TYPE };
    for (const body of ['{', 'x'.repeat(4_194_305)])
      expectLimited(await server.request('POST', LISTS, { ...options, body }));
  });

  test('the right key works, as often as it comes', async () => {
    const address = await limitedAddress();
    for (let i = 0; i < 50; i += 1) {
      expectLimited(await ask(address, 'wrong'));
      expectSuccess(await ask(address, TEST_TOKEN));
    }
  });

  test('the right key gets its own 403, 404 and 422, not 429', async () => {
    const address = await limitedAddress();
    const { token } = await server.newKey('default', 'read');
    expectFailure(await ask(address, token, LISTS, 'POST'), 403);
    expectFailure(await ask(address, TEST_TOKEN, `${LISTS}/nothing`), 404);
    expectFailure(await server.request('POST', LISTS, { address, body: { name: '' } }), 422);
  });

  test('a request that needs no key is answered', async () => {
    const address = await limitedAddress();
    for (const path of ['/healthz', '/readyz', '/openapi.yaml', '/docs/']) {
      expect((await ask(address, null, path)).status).toBe(200);
    }
  });
});

describe('from another address', () => {
  test('the right key works, and a wrong one gets 401', async () => {
    await limitedAddress();
    const address = newAddress();
    expectSuccess(await ask(address, TEST_TOKEN));
    expectFailure(await ask(address, 'wrong'), 401);
  });
});

describe('requests that are refused for another reason', () => {
  test('are not counted', async () => {
    const address = newAddress();
    const { token } = await server.newKey('default', 'read');
    for (let i = 0; i < failureBurst + 5; i += 1) {
      expectFailure(await ask(address, token, LISTS, 'POST'), 403);
      expectFailure(await ask(address, TEST_TOKEN, `${LISTS}/nothing`), 404);
    }
    expectFailure(await ask(address, 'wrong'), 401);
  });
});

describe('seeds', () => {
  test('unknown tokens get 429 after as many, together with wrong keys', async () => {
    const from = newAddress();
    for (let i = 0; i < failureBurst / 2; i += 1) {
      expectFailure(await fetchSeed(server, UNKNOWN_SEED, 'user-data', { from }), 404);
      expectFailure(await ask(from, 'wrong'), 401);
    }
    expectLimited(await fetchSeed(server, UNKNOWN_SEED, 'meta-data', { from }));
    expectLimited(await phoneHome(server, UNKNOWN_SEED, '{', from));
    expectLimited(await phoneHome(server, { seed: '/nocloud/malformed/' }, {}, from));
    expectLimited(await ask(from, 'wrong'));
  });

  test('the right token is served from there, open and closed', async () => {
    const instance = await newInstance(server);
    const from = await limitedAddress();
    expectLimited(await fetchSeed(server, UNKNOWN_SEED, 'meta-data', { from }));
    expect((await fetchSeed(server, instance, 'meta-data', { from })).status).toBe(200);
    expect((await phoneHome(server, instance, {}, from)).status).toBe(200);
    expect((await fetchSeed(server, instance, 'user-data', { from })).status).toBe(200);
    expect((await phoneHome(server, instance, {}, from)).status).toBe(200);
  });

  test('a token that is right but used from elsewhere is answered like an unknown one, limited or not', async () => {
    const instance = await newInstance(server, { source_cidr: '192.0.2.0/24' });
    const from = newAddress();
    for (let i = 0; i < failureBurst; i += 1) {
      expectFailure(await fetchSeed(server, instance, 'user-data', { from }), 404);
    }
    expectLimited(await fetchSeed(server, instance, 'user-data', { from }));
    expectLimited(await phoneHome(server, instance, {}, from));
    expect((await fetchSeed(server, instance, 'user-data', { from: '192.0.2.9' })).status).toBe(200);
  });
});

describe('a flood', () => {
  test('is told in the log once, and counted in the audit trail', async () => {
    const flooded = await startTestServer({ LOG_LEVEL: 'info' }, BOUNDS);
    const address = newAddress();
    const { length } = await Promise.all(
      Array.from({ length: 500 }, (_, i) => flooded.request('GET', LISTS, { address, token: `wrong-${i}` })),
    );
    const seeds = Array.from({ length: 100 }, () => fetchSeed(flooded, UNKNOWN_SEED, 'user-data', { from: address }));
    await Promise.all(seeds);

    const lines = flooded.logLines.map((line) => JSON.parse(line));
    expect(lines.filter(({ errorCode }) => errorCode === 'unauthenticated')).toHaveLength(failureBurst);
    expect(lines.filter(({ errorCode }) => errorCode === 'too_many_failures')).toEqual([]);
    expect(lines.filter(({ level, address: told }) => level === 'warn' && told === address)).toHaveLength(1);

    await vi.waitFor(() => expect(rows('unauthenticated')).toHaveLength(failureBurst));
    expect(rows('too_many_failures')).toEqual([]);
    await flooded.close();
    const counted = rows('too_many_failures').map(({ action, occurrences }) => [action, occurrences]);
    expect(counted).toEqual([
      ['list.list', length - failureBurst],
      ['seed.fetch', seeds.length],
    ]);

    function rows(reason: string) {
      return readAuditRows(flooded).filter((row) => row.reason === reason);
    }
  });
});
