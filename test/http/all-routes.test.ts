// What holds for every route of the API, generated from the table of routes: no key, no answer; another account's
// things are as good as absent; a key that may only read changes nothing.

import { METHODS } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { composeAdministration } from '../../src/compose.ts';
import { type RequestOptions, startTestServer, type TestServer } from '../support/test-server.ts';
import { expectFailure, expectSuccess } from './api-answers.ts';
import { type ApiOperation, fillBody, fillPath, readOperations } from './api-operations.ts';
import { everything, type Stage, setStage, withInstances } from './api-table.ts';

const OPERATIONS = readOperations();
const EACH_OPERATION = OPERATIONS.map((operation) => [`${operation.method} ${operation.path}`, operation] as const);
const EACH_WITH_LIST = EACH_OPERATION.filter(([, { path }]) => path.includes('{secretList}'));
const EACH_WITH_INSTANCE = EACH_OPERATION.filter(([, { path }]) => path.includes('{instance}'));

let server: TestServer;
let stage: Stage;
/** Keys of the writer's account, but of no use any more. */
const dead: Record<string, string> = {};
let unauthenticated: string;

beforeAll(async () => {
  server = await startTestServer({ SECRET_MANAGER_PUBLIC_URL: 'http://here.example' });
  stage = await withInstances(await setStage(server));
  dead['expired'] = (await server.newKey(stage.account, 'write', new Date(Date.now() - 1))).token;
  const revoked = await server.newKey(stage.account);
  dead['revoked'] = revoked.token;
  await server.revokeKey(revoked.id);
  dead['of a deleted account'] = (await server.newKey('deleted')).token;
  const administration = await composeAdministration(server.config);
  await administration.accounts.delete('deleted');
  await administration.close();
  unauthenticated = (await server.request('GET', '/api/secrets/lists', { token: null })).text;
});
afterAll(() => server.close());

function send(operation: ApiOperation, options: RequestOptions, query = '') {
  const url = fillPath(operation, 'production', 'API_KEY') + query;
  const body = options.body ?? fillBody(operation);
  return server.request(operation.method, url, body === undefined ? options : { ...options, body });
}

describe('the table of routes', () => {
  test('has no path under /api that openapi.yaml leaves out', () => {
    const described = new Set(OPERATIONS.map(({ path }) => path.replaceAll(/\{(\w+)\}/g, ':$1')));
    const underApi = readRoutePaths(server.app.printRoutes({ commonPrefix: false })).filter((path) =>
      path.toLowerCase().startsWith('/api'),
    );
    expect(new Set(underApi)).toEqual(described);
    expect(underApi.length).toBeGreaterThan(4);
  });

  test('is closed without a key on every path and every method, known or not', async () => {
    const paths = [...new Set(OPERATIONS.map((operation) => fillPath(operation, 'production', 'API_KEY')))];
    for (const path of [...paths, '/api', '/api/', '/api/secrets', '/api/nothing', '/api/secrets/lists/a/b/c/d']) {
      for (const method of METHODS.filter((each) => each !== 'CONNECT' && each !== 'HEAD')) {
        const answer = await server.request(method, path, { token: null });
        expect([method, path, answer.status, answer.text]).toEqual([method, path, 401, unauthenticated]);
      }
      expect((await server.request('HEAD', path, { token: null })).status).toBe(401);
    }
  });
});

describe.each(EACH_OPERATION)('%s', (_, operation) => {
  const well = 'a-key-of-nobody-but-well-formed-as-such';
  const generated = `smk_${'0'.repeat(43)}000000`;
  const wrong: [string, RequestOptions, string?][] = [
    ['no key', {}],
    ['an unknown key', bearer(well)],
    ['an unknown key in the query', {}, `?key=${well}`],
    ['a generated key whose checksum is wrong', bearer(generated)],
    ['a generated key cut short', bearer('smk_0000')],
    ['a malformed key', bearer('too-short')],
    ['a malformed key in the query', {}, '?key=%00%ff%zz'],
    ['a key of 10,000 characters', bearer('x'.repeat(10_000))],
    ['an empty Authorization', { headers: { authorization: '' } }],
    ['Bearer and nothing', { headers: { authorization: 'Bearer' } }],
    ['two keys in one Authorization', bearer(`${well}, ${well}`)],
    ['an empty key', {}, '?key='],
    ['a key without an equals sign', {}, '?key'],
  ];

  test.each(wrong)('answers the one 401 to %s', async (_name, options, query) => {
    const answer = await send(operation, { token: null, ...options }, query);
    expectFailure(answer, 401);
    expect(answer.text).toBe(unauthenticated);
  });

  test.each(['expired', 'revoked', 'of a deleted account'])('answers the one 401 to a key %s', async (kind) => {
    const token = dead[kind] ?? '';
    for (const answer of [await send(operation, { token }), await send(operation, { token: null }, `?key=${token}`)]) {
      expectFailure(answer, 401);
      expect(answer.text).toBe(unauthenticated);
    }
  });

  test('answers the one 401 to a working key in the wrong place or sent twice', async () => {
    const { writer } = stage.tokens;
    const token = writer ?? '';
    for (const query of [
      `?key=${token}&key=${token}`,
      `?key=${well}&key=${token}`,
      `?key[]=${token}`,
      `?KEY=${token}`,
    ]) {
      const answer = await send(operation, { token: null }, query);
      expect([query, answer.status, answer.text]).toEqual([query, 401, unauthenticated]);
    }
    const basic = Buffer.from(`${token}:`).toString('base64');
    for (const headers of [
      { authorization: token },
      { authorization: `Basic ${basic}` },
      { authorization: `Token ${token}` },
      { authorization: `Bearer "${token}"` },
      { 'x-api-key': token },
      { cookie: `key=${token}` },
      { 'proxy-authorization': `Bearer ${token}` },
    ]) {
      const answer = await send(operation, { token: null, headers: headers as Record<string, string> });
      expect([Object.keys(headers), answer.status, answer.text]).toEqual([Object.keys(headers), 401, unauthenticated]);
    }
  });

  test('answers 400 to two credentials, right or wrong', async () => {
    const { writer } = stage.tokens;
    const token = writer ?? '';
    expectFailure(await send(operation, { token }, `?key=${token}`), 400);
    expectFailure(await send(operation, { token }, '?key='), 400);
    expectFailure(await send(operation, { token: well }, `?key=${token}`), 400);
    expectFailure(await send(operation, { token }, `?key=${token}&key=${token}`), 400);
    const twice = [`Bearer ${token}`, `Bearer ${token}`];
    expectFailure(await send(operation, { token: null, headers: { authorization: twice } }), 400);
  });

  test(
    operation.isWrite ? 'answers 403 to a key that may only read' : 'is open to a key that may only read',
    async () => {
      const { reader: token } = stage.tokens;
      const before = await everything(stage);
      const answer = await send(operation, { token });
      if (operation.isWrite) expectFailure(answer, 403);
      else expectSuccess(answer);
      expect(await everything(stage)).toEqual(before);
    },
  );
});

describe.each(EACH_WITH_LIST)('%s', (_, operation) => {
  const takesValue = operation.path.includes('{secretListValue}');

  test("answers the same 404 to another account's ids and names as to unknown ones", async () => {
    const { ids } = stage;
    const unknown = await ask('nothing', 'NOTHING');
    expectFailure(unknown, 404);
    const foreign: [string | number, string | number][] = [
      ['theirs', 'THEIR_KEY'],
      ['theirs', ids['THEIR_KEY'] ?? 0],
      [ids['theirs'] ?? 0, 'THEIR_KEY'],
      [ids['theirs'] ?? 0, ids['THEIR_KEY'] ?? 0],
      [ids['theirs'] ?? 0, 'API_KEY'],
      [999_999, 999_999],
    ];
    if (takesValue) foreign.push(['production', 'THEIR_KEY'], [ids['production'] ?? 0, ids['THEIR_KEY'] ?? 0]);
    const before = [await everything(stage), await everything(stage, 'stranger')];
    for (const [list, value] of foreign) {
      const answer = await ask(list, value);
      expect([list, value, answer.status, answer.text]).toEqual([list, value, 404, unknown.text]);
    }
    expect([await everything(stage), await everything(stage, 'stranger')]).toEqual(before);
  });

  function ask(list: string | number, value: string | number) {
    const { writer: token } = stage.tokens;
    const body = fillBody(operation);
    const url = fillPath(operation, list, value);
    return server.request(operation.method, url, body === undefined ? { token } : { token, body });
  }
});

describe.each(EACH_WITH_INSTANCE)('%s', (_, operation) => {
  test("answers the same 404 to another account's instance as to an unknown one", async () => {
    const unknown = await ask('nothing');
    expectFailure(unknown, 404);
    const before = [await everything(stage), await everything(stage, 'stranger')];
    for (const instance of ['their-machine', stage.ids['their-machine'] ?? 0, 999_999]) {
      const answer = await ask(instance);
      expect([instance, answer.status, answer.text]).toEqual([instance, 404, unknown.text]);
    }
    expect([await everything(stage), await everything(stage, 'stranger')]).toEqual(before);
  });

  function ask(instance: string | number) {
    const { writer: token } = stage.tokens;
    return server.request(operation.method, fillPath(operation, '', '', instance), { token });
  }
});

function bearer(token: string): RequestOptions {
  return { headers: { authorization: `Bearer ${token}` } };
}

/** The paths of Fastify's tree of routes: four characters of drawing a level, then the rest of the path. */
function readRoutePaths(tree: string): string[] {
  const prefixes: string[] = [];
  const paths: string[] = [];
  for (const line of tree.split('\n')) {
    const [, drawing, part, methods] = /^([│├└─ ]*)(\S*) ?(\(.*\))?$/.exec(line) ?? [];
    if (drawing === undefined || part === undefined || drawing === '') continue;
    const level = drawing.length / 4 - 1;
    const path = (prefixes[level - 1] ?? '') + part;
    prefixes[level] = path;
    if (methods !== undefined) paths.push(path);
  }
  return paths;
}
