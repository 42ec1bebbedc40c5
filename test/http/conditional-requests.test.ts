// ETags: one for each revision of an account; what a client has already isn't sent again.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { expectCommonHeaders, expectEnvelope, expectSuccess } from './api-answers.ts';

const LISTS = '/api/secrets/lists';
let server: TestServer;
let listName: string;
let paths: string[];

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

let made = 0;
beforeEach(async () => {
  made += 1;
  listName = `list-${made}`;
  await server.request('POST', LISTS, { body: { name: listName } });
  const body = { secret_key: `KEY_${made}`, secret_value: 'before' };
  await server.request('POST', `${LISTS}/${listName}/values`, { body });
  const list = `${LISTS}/${listName}`;
  paths = [LISTS, list, `${list}/values`, `${list}/values/KEY_${made}`, '/api/secrets/all-values'];
});

async function etagOf(path: string): Promise<string> {
  const answer = await server.request('GET', path);
  expectSuccess(answer);
  return String(answer.headers['etag']);
}

function ask(path: string, tags: string) {
  return server.request('GET', path, { headers: { 'if-none-match': tags } });
}

describe('every answer with lists or values', () => {
  test('has a strong ETag, the same until something changes', async () => {
    for (const path of paths) {
      const etag = await etagOf(path);
      expect(etag).toMatch(/^"[^"]+"$/);
      expect(await etagOf(path)).toBe(etag);
    }
  });

  test('is 304 without a body for who has it, with the ETag and the headers of all answers', async () => {
    for (const path of paths) {
      const etag = await etagOf(path);
      const answer = await ask(path, etag);
      expect([path, answer.status, answer.text]).toEqual([path, 304, '']);
      expect(answer.headers['etag']).toBe(etag);
      expectCommonHeaders(answer);
    }
  });

  test('is sent whole again after a change anywhere in the account, even to the same content', async () => {
    const tags = await Promise.all(paths.map(etagOf));
    await server.request('POST', `${LISTS}/${listName}/values/KEY_${made}`, { body: { secret_value: 'before' } });
    for (const [i, path] of paths.entries()) {
      const answer = await ask(path, tags[i] as string);
      expectEnvelope(answer);
      expect([path, answer.status]).toEqual([path, 200]);
      expect(answer.headers['etag']).not.toBe(tags[i]);
    }
  });
});

describe('If-None-Match', () => {
  test.each([
    ['among others', (etag: string) => `"x", ${etag}, "y"`],
    ['weak', (etag: string) => `W/${etag}`],
    ['any', () => '*'],
    ['with blanks around it', (etag: string) => `  ${etag}  `],
  ])('matches: %s', async (_, tags) => {
    const path = paths[3] as string;
    expect((await ask(path, tags(await etagOf(path)))).status).toBe(304);
  });

  test.each([
    ['another one', () => '"x"'],
    ['empty', () => ''],
    ['without quotes', (etag: string) => etag.slice(1, -1)],
    ['a part of it', (etag: string) => `${etag.slice(0, -2)}"`],
  ])('does not match: %s', async (_, tags) => {
    const path = paths[3] as string;
    expect((await ask(path, tags(await etagOf(path)))).status).toBe(200);
  });

  test('does not make a thing of what is not there', async () => {
    const etag = await etagOf(LISTS);
    for (const path of [`${LISTS}/none`, `${LISTS}/none/values`, `${LISTS}/${listName}/values/NONE`]) {
      const answer = await ask(path, etag);
      expect(answer.status).toBe(404);
      expect(answer.headers['etag']).toBeUndefined();
    }
  });

  test('does not let in who has no key, or the key of another account', async () => {
    const etag = await etagOf('/api/secrets/all-values');
    const { token } = await server.newKey('stranger');
    const headers = { 'if-none-match': etag };
    const stranger = await server.request('GET', '/api/secrets/all-values', { token, headers });
    expect([stranger.status, stranger.json.data]).toEqual([200, []]);
    expect((await server.request('GET', '/api/secrets/all-values', { token: null, headers })).status).toBe(401);
    const { token: revoked, id } = await server.newKey('default');
    await server.revokeKey(id);
    expect((await server.request('GET', '/api/secrets/all-values', { token: revoked, headers })).status).toBe(401);
  });

  test('changes nothing on a write', async () => {
    const headers = { 'if-none-match': '*' };
    const answer = await server.request('POST', LISTS, { body: { name: `${listName}-other` }, headers });
    expect([answer.status, answer.headers['etag']]).toEqual([200, undefined]);
  });
});
