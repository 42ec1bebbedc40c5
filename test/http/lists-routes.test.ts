// The five endpoints of secret lists, as a client sees them.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { expectFailure, expectSuccess, TIME } from './api-answers.ts';
import { everything, type Stage, setStage, testRows } from './api-table.ts';

const LISTS = '/api/secrets/lists';
let server: TestServer;
let stage: Stage;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

function onAFreshStage(): () => Stage {
  beforeAll(async () => {
    stage = await setStage(server);
  });
  return () => stage;
}

describe('GET /api/secrets/lists', () => {
  testRows(onAFreshStage(), [
    {
      it: 'answers the lists of the account in the order of their ids',
      send: 'GET /api/secrets/lists',
      status: 200,
      data: [{ name: 'production' }, { name: 'staging' }],
      hides: ['theirs', 'plain-', 'API_KEY'],
    },
    { it: 'is open to a key that may only read', as: 'reader', send: 'GET /api/secrets/lists', status: 200 },
    {
      it: 'shows another account its own lists alone',
      as: 'stranger',
      send: 'GET /api/secrets/lists',
      status: 200,
      data: [{ name: 'theirs' }],
      hides: ['production', 'staging'],
    },
    { it: 'is closed without a key', as: 'nobody', send: 'GET /api/secrets/lists', status: 401 },
  ]);

  test('answers an empty array for an account without lists', async () => {
    const { token } = await server.newKey('without-lists');
    expect(expectSuccess(await server.request('GET', LISTS, { token }))).toEqual([]);
  });
});

describe('GET /api/secrets/lists/{list}', () => {
  testRows(onAFreshStage(), [
    {
      it: 'answers a list by its name',
      send: 'GET /api/secrets/lists/production',
      status: 200,
      data: { name: 'production' },
      hides: ['plain-', 'API_KEY'],
    },
    {
      it: 'answers a list by its id',
      as: 'reader',
      send: 'GET /api/secrets/lists/{production}',
      status: 200,
      data: { name: 'production' },
    },
    { it: 'answers 404 for an unknown name', send: 'GET /api/secrets/lists/nothing', status: 404 },
    { it: 'answers 404 for a name in another case', send: 'GET /api/secrets/lists/Production', status: 404 },
    { it: 'answers 404 for the start of a name', send: 'GET /api/secrets/lists/prod', status: 404 },
    { it: 'answers 404 for an unknown id', send: 'GET /api/secrets/lists/999999', status: 404 },
    { it: "answers 404 for another account's list", send: 'GET /api/secrets/lists/theirs', status: 404 },
    { it: "answers 404 for the id of another account's list", send: 'GET /api/secrets/lists/{theirs}', status: 404 },
    { it: 'is closed without a key', as: 'nobody', send: 'GET /api/secrets/lists/production', status: 401 },
  ]);

  test('a list has exactly the members of the contract', async () => {
    const list = expectSuccess(await server.request('GET', `${LISTS}/production`, { token: stage.tokens.writer }));
    expect(list).toEqual({
      id: stage.ids['production'],
      name: 'production',
      created_at: expect.stringMatching(TIME),
      updated_at: expect.stringMatching(TIME),
    });
    expect(Number.isSafeInteger(list.id) && list.id > 0).toBe(true);
  });
});

describe('POST /api/secrets/lists', () => {
  testRows(onAFreshStage(), [
    {
      it: 'creates a list of the given name',
      send: 'POST /api/secrets/lists',
      body: { name: 'new' },
      status: 200,
      data: { name: 'new' },
    },
    {
      it: 'takes a form too',
      send: 'POST /api/secrets/lists',
      form: { name: 'from a form' },
      status: 200,
      data: { name: 'from a form' },
    },
    {
      it: 'refuses a name that the account has',
      send: 'POST /api/secrets/lists',
      body: { name: 'production' },
      status: 422,
      fields: ['name'],
      hides: ['production'],
    },
    {
      it: 'takes a name in another case for another name',
      send: 'POST /api/secrets/lists',
      body: { name: 'PRODUCTION' },
      status: 200,
    },
    {
      it: 'takes a name that another account has',
      send: 'POST /api/secrets/lists',
      body: { name: 'theirs' },
      status: 200,
    },
    { it: 'refuses an empty name', send: 'POST /api/secrets/lists', body: { name: '' }, status: 422, fields: ['name'] },
    { it: 'refuses a key that may only read', as: 'reader', send: 'POST /api/secrets/lists', status: 403 },
    { it: 'is closed without a key', as: 'nobody', send: 'POST /api/secrets/lists', status: 401 },
  ]);

  test('generates a unique name without a payload', async () => {
    const { writer: token } = stage.tokens;
    const created = [];
    for (const body of [undefined, {}, ''])
      created.push(expectSuccess(await server.request('POST', LISTS, { token, body })));
    expect(new Set(created.map(({ name }) => name)).size).toBe(3);
    for (const { id, name } of created) {
      expect(name).toMatch(/[^0-9]/);
      expect(expectSuccess(await server.request('GET', `${LISTS}/${name}`, { token })).id).toBe(id);
    }
  });

  test('of any number of simultaneous creations of one name exactly one succeeds', async () => {
    const { writer: token } = stage.tokens;
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => server.request('POST', LISTS, { token, body: { name: 'contested' } })),
    );
    const refused = answers.filter(({ status }) => status !== 200);
    for (const answer of refused) expectFailure(answer, 422, ['name']);
    expect(refused).toHaveLength(19);
  });

  test('never gives an id twice', async () => {
    const { writer: token } = stage.tokens;
    const first = expectSuccess(await server.request('POST', LISTS, { token }));
    await server.request('DELETE', `${LISTS}/${first.id}`, { token });
    const second = expectSuccess(await server.request('POST', LISTS, { token, body: { name: first.name } }));
    expect(second.id).toBeGreaterThan(first.id);
    expectFailure(await server.request('GET', `${LISTS}/${first.id}`, { token }), 404);
  });
});

describe('POST /api/secrets/lists/{list}', () => {
  testRows(onAFreshStage(), [
    {
      it: 'renames a list that is named by its id',
      send: 'POST /api/secrets/lists/{staging}',
      body: { name: 'stage' },
      status: 200,
      data: { name: 'stage' },
    },
    {
      it: 'renames a list that is named by its name, and takes a form',
      send: 'POST /api/secrets/lists/stage',
      form: { name: 'staging' },
      status: 200,
      data: { name: 'staging' },
    },
    {
      it: 'renames a list to its own name',
      send: 'POST /api/secrets/lists/production',
      body: { name: ' production ' },
      status: 200,
      data: { name: 'production' },
    },
    {
      it: "refuses another list's name",
      send: 'POST /api/secrets/lists/staging',
      body: { name: 'production' },
      status: 422,
      fields: ['name'],
      hides: ['production'],
    },
    {
      it: 'refuses a body without the name',
      send: 'POST /api/secrets/lists/staging',
      status: 422,
      fields: ['name'],
    },
    {
      it: 'answers 404 for an unknown list',
      send: 'POST /api/secrets/lists/nothing',
      body: { name: 'x' },
      status: 404,
    },
    {
      it: "answers 404 for another account's list",
      send: 'POST /api/secrets/lists/{theirs}',
      body: { name: 'ours' },
      status: 404,
    },
    {
      it: 'refuses a key that may only read',
      as: 'reader',
      send: 'POST /api/secrets/lists/staging',
      body: { name: 'x' },
      status: 403,
    },
  ]);

  test('keeps id, values and time of creation', async () => {
    const { writer: token } = stage.tokens;
    const before = expectSuccess(await server.request('GET', `${LISTS}/production`, { token }));
    const values = expectSuccess(await server.request('GET', `${LISTS}/production/values`, { token }));
    const after = expectSuccess(
      await server.request('POST', `${LISTS}/production`, { token, body: { name: 'renamed' } }),
    );
    expect(after).toEqual({ ...before, name: 'renamed', updated_at: expect.stringMatching(TIME) });
    expect(Date.parse(after.updated_at)).toBeGreaterThanOrEqual(Date.parse(before.updated_at));
    expect(expectSuccess(await server.request('GET', `${LISTS}/renamed/values`, { token }))).toEqual(values);
    expectFailure(await server.request('GET', `${LISTS}/production`, { token }), 404);
  });

  test('changes nothing when it is refused', async () => {
    const { writer: token } = stage.tokens;
    const before = await everything(stage);
    for (const name of ['renamed', '', 'a\u0007b', 'x'.repeat(256)]) {
      expectFailure(await server.request('POST', `${LISTS}/staging`, { token, body: { name } }), 422, ['name']);
    }
    expect(await everything(stage)).toEqual(before);
  });
});

describe('DELETE /api/secrets/lists/{list}', () => {
  testRows(onAFreshStage(), [
    { it: 'refuses a key that may only read', as: 'reader', send: 'DELETE /api/secrets/lists/staging', status: 403 },
    { it: "answers 404 for another account's list", send: 'DELETE /api/secrets/lists/{theirs}', status: 404 },
    { it: 'deletes a list by its name', send: 'DELETE /api/secrets/lists/production', status: 200, data: null },
    { it: 'answers 404 the second time', send: 'DELETE /api/secrets/lists/production', status: 404 },
    {
      it: 'takes the values with the list, and no others',
      send: 'GET /api/secrets/all-values',
      status: 200,
      data: [{ secret_key: 'DEBUG' }],
      hides: ['plain-1', 'plain-2'],
    },
    {
      it: 'answers 404 for the values of the deleted list',
      send: 'GET /api/secrets/lists/{production}/values',
      status: 404,
    },
    {
      it: 'frees the keys of the deleted values',
      send: 'POST /api/secrets/lists/staging/values',
      body: { secret_key: 'API_KEY', secret_value: 'again' },
      status: 200,
    },
    { it: 'deletes a list by its id', send: 'DELETE /api/secrets/lists/{staging}', status: 200, data: null },
    { it: 'leaves nothing behind', send: 'GET /api/secrets/lists', status: 200, data: [] },
    {
      it: "never touches another account's list",
      as: 'stranger',
      send: 'GET /api/secrets/lists/theirs/values',
      status: 200,
      data: [{ secret_key: 'THEIR_KEY', secret_value: 'plain-3' }],
    },
  ]);
});
