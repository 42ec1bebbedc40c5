// Which keys open the API and from when to when; what all-routes.test.ts doesn't say for each route.

import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { composeAdministration } from '../../src/compose.ts';
import { type Answer, startTestServer, TEST_TOKEN, type TestServer } from '../support/test-server.ts';
import { expectFailure, expectSuccess, JSON_TYPE } from './api-answers.ts';
import { query } from './database-file.ts';

const LISTS = '/api/secrets/lists';
let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

function ask(token: string): Promise<Answer> {
  return server.request('GET', LISTS, { token });
}

async function deleteAccount(name: string): Promise<void> {
  const administration = await composeAdministration(server.config);
  await administration.accounts.delete(name);
  await administration.close();
}

describe('a working key', () => {
  test('is taken as ?key= and as Authorization: Bearer, with the same answer', async () => {
    const { token } = await server.newKey('default');
    const inHeader = await server.request('GET', LISTS, { token });
    const inQuery = await server.request('GET', `${LISTS}?key=${token}`, { token: null });
    expectSuccess(inHeader);
    expect(inQuery.text).toBe(inHeader.text);
  });

  test('may be percent-encoded in the query, and stand anywhere in it', async () => {
    const encoded = [...TEST_TOKEN].map((character) => `%${character.charCodeAt(0).toString(16)}`).join('');
    for (const url of [
      `${LISTS}?key=${encoded}`,
      `${LISTS}?a=b&key=${TEST_TOKEN}&c`,
      `${LISTS}?x=?&key=${TEST_TOKEN}#f`,
    ]) {
      expectSuccess(await server.request('GET', url, { token: null }));
    }
  });

  test.each(['Bearer', 'bearer', 'BEARER'])('is taken with the scheme written %s', async (scheme) => {
    const headers = { authorization: `${scheme} ${TEST_TOKEN}` };
    expectSuccess(await server.request('GET', LISTS, { token: null, headers }));
  });

  test('is one of any number: each sees the same account, and goes alone', async () => {
    const [one, two] = [await server.newKey('two keys'), await server.newKey('two keys')];
    await server.request('POST', LISTS, { token: one.token, body: { name: 'shared' } });
    await server.revokeKey(one.id);
    expectFailure(await ask(one.token), 401);
    expect(expectSuccess(await ask(two.token))).toMatchObject([{ name: 'shared' }]);
  });
});

describe('from the next request on', () => {
  test('a key made on another connection opens', async () => {
    expectSuccess(await ask((await server.newKey('made beside')).token));
  });

  test('a key revoked on another connection is refused', async () => {
    const { id, token } = await server.newKey('revoked beside');
    for (let i = 0; i < 5; i += 1) expectSuccess(await ask(token));
    await server.revokeKey(id);
    for (let i = 0; i < 5; i += 1) expectFailure(await ask(token), 401);
  });

  test('the keys of a deleted account are refused, of one made anew under its name too', async () => {
    const { token } = await server.newKey('short-lived');
    expectSuccess(await server.request('POST', LISTS, { token, body: { name: 'gone' } }));
    await deleteAccount('short-lived');
    expectFailure(await ask(token), 401);
    const { token: newToken } = await server.newKey('short-lived');
    expectFailure(await ask(token), 401);
    expect(expectSuccess(await ask(newToken))).toEqual([]);
  });

  test('an expired key is refused, to the millisecond', async () => {
    const expiresAt = new Date(Date.now() + 3_600_000);
    const { token } = await server.newKey('expiring', 'write', expiresAt);
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    vi.setSystemTime(expiresAt.getTime() - 1);
    expectSuccess(await ask(token));
    vi.setSystemTime(expiresAt);
    expectFailure(await ask(token), 401);
  });
});

describe('while the body of a request is on its way', () => {
  async function sendSlowly(token: string, url: string, body: object, meanwhile: () => Promise<void>): Promise<Answer> {
    const payload = new Readable({ read() {} });
    const headers = { ...JSON_TYPE, authorization: `Bearer ${token}`, 'transfer-encoding': 'chunked' };
    const sent = server.app.inject({ method: 'POST', url, headers, payload });
    payload.push(JSON.stringify(body).slice(0, 5));
    await vi.waitFor(() => expect(payload.readableLength).toBe(0));
    await meanwhile();
    payload.push(JSON.stringify(body).slice(5));
    payload.push(null);
    const response = await sent;
    return { status: response.statusCode, headers: response.headers, text: response.body, json: response.json() };
  }

  test('a revoked key may finish or be refused', async () => {
    const { id, token } = await server.newKey('revoked meanwhile');
    const other = await server.newKey('revoked meanwhile');
    const answer = await sendSlowly(token, LISTS, { name: 'in flight' }, () => server.revokeKey(id));
    const lists = expectSuccess(await ask(other.token));
    if (answer.status === 200) expect(lists).toMatchObject([{ name: 'in flight' }]);
    else {
      expectFailure(answer, 401);
      expect(lists).toEqual([]);
    }
    expectFailure(await ask(token), 401);
  });

  test.each([
    ['a new list', LISTS, { name: 'in flight' }],
    ['a new value', `${LISTS}/home/values`, { secret_key: 'K', secret_value: 'v' }],
  ])('the deletion of the account is no fault of the server: %s', async (kind, url, body) => {
    const account = `gone before ${kind}`;
    const { token } = await server.newKey(account);
    await server.request('POST', LISTS, { token, body: { name: 'home' } });
    const answer = await sendSlowly(token, url, body, () => deleteAccount(account));
    expect([answer.status, answer.text]).toEqual([expect.toBeOneOf([401, 404]), answer.text]);
    expectFailure(answer, answer.status);
  });
});

describe('a key whose row was changed by somebody without the root key', () => {
  test.each([
    ['more rights', "rights = 'write'"],
    ['no expiry', 'expires_at = NULL'],
    ['another account', 'account_id = (SELECT min(id) FROM accounts)'],
    ['another name', "name = 'harmless'"],
    ["another row's proof", 'row_mac = (SELECT row_mac FROM api_keys ORDER BY id LIMIT 1)'],
    ['no proof', "row_mac = x''"],
  ])('is refused, and told in the log: %s', async (_, change) => {
    const { id, token } = await server.newKey('tampered', 'read', new Date(Date.now() + 3_600_000));
    expectSuccess(await ask(token));
    query(server, `UPDATE api_keys SET ${change} WHERE id = ?`, id);
    const logged = server.logLines.length;
    expectFailure(await ask(token), 401);
    const alarm = server.logLines.slice(logged).filter((line) => line.includes('ALARM'));
    expect(alarm).toHaveLength(1);
    expect(JSON.parse(alarm[0] ?? '')).toMatchObject({ level: 'error', keyId: id });
    expect(alarm[0]).not.toContain(token);
  });

  test('is refused when a revocation was taken back', async () => {
    const { id, token } = await server.newKey('tampered');
    await server.revokeKey(id);
    query(server, 'UPDATE api_keys SET revoked_at = NULL WHERE id = ?', id);
    expectFailure(await ask(token), 401);
  });

  test('is refused when its hash was put into the row of another key', async () => {
    const [mine, theirs] = [await server.newKey('tampered', 'read'), await server.newKey('victim')];
    const [row] = query<{ token_hash: Buffer }>(server, 'SELECT token_hash FROM api_keys WHERE id = ?', mine.id);
    query(server, 'DELETE FROM api_keys WHERE id = ?', mine.id);
    query(server, 'UPDATE api_keys SET token_hash = ? WHERE id = ?', row?.token_hash, theirs.id);
    expectFailure(await ask(mine.token), 401);
    expectFailure(await ask(theirs.token), 401);
  });
});

test('without a key, whatever else is wrong, the answer is 401', async () => {
  const nobody = { token: null };
  for (const answer of [
    await server.request('POST', LISTS, { ...nobody, headers: JSON_TYPE, body: '{' }),
    await server.request('POST', LISTS, { ...nobody, headers: { 'content-type': 'text/plain' }, body: 'x' }),
    await server.request('POST', LISTS, { ...nobody, body: { name: 5 } }),
    await server.request('GET', `${LISTS}/999999`, nobody),
    await server.request('PATCH', LISTS, nobody),
    await server.request('GET', '/api/nothing', nobody),
  ]) {
    expectFailure(answer, 401);
    expect(answer.headers['allow']).toBeUndefined();
  }
});
