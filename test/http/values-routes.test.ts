// The endpoints of the values of a list, as a client sees them: reading and creating.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { expectFailure, expectSuccess, TIME } from './api-answers.ts';
import { everything, type Stage, setStage, testRows } from './api-table.ts';

const PRODUCTION = '/api/secrets/lists/production/values';
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

describe('GET /api/secrets/lists/{list}/values', () => {
  testRows(onAFreshStage(), [
    {
      it: 'answers the values of a list by its name, in the order of their ids',
      send: 'GET /api/secrets/lists/production/values',
      status: 200,
      data: [
        { secret_key: 'API_KEY', secret_value: 'plain-1' },
        { secret_key: 'DB PASSWORD', secret_value: 'plain-2' },
      ],
      hides: ['DEBUG', 'plain-3'],
    },
    {
      it: 'answers the values of a list by its id',
      as: 'reader',
      send: 'GET /api/secrets/lists/{staging}/values',
      status: 200,
      data: [{ secret_key: 'DEBUG', secret_value: '' }],
    },
    { it: 'answers 404 for an unknown list', send: 'GET /api/secrets/lists/nothing/values', status: 404 },
    { it: "answers 404 for another account's list", send: 'GET /api/secrets/lists/{theirs}/values', status: 404 },
    { it: 'is closed without a key', as: 'nobody', send: 'GET /api/secrets/lists/production/values', status: 401 },
  ]);

  test('answers an empty array for a list without values', async () => {
    const { writer: token } = stage.tokens;
    await server.request('POST', '/api/secrets/lists', { token, body: { name: 'empty' } });
    expect(expectSuccess(await server.request('GET', '/api/secrets/lists/empty/values', { token }))).toEqual([]);
  });
});

describe('GET /api/secrets/lists/{list}/values/{value}', () => {
  testRows(onAFreshStage(), [
    {
      it: 'answers a value by list name and secret key',
      send: 'GET /api/secrets/lists/production/values/API_KEY',
      status: 200,
      data: { secret_key: 'API_KEY', secret_value: 'plain-1' },
      hides: ['plain-2'],
    },
    {
      it: 'answers a value by both ids',
      as: 'reader',
      send: 'GET /api/secrets/lists/{production}/values/{DB PASSWORD}',
      status: 200,
      data: { secret_key: 'DB PASSWORD', secret_value: 'plain-2' },
    },
    {
      it: 'answers a value by list id and secret key',
      send: 'GET /api/secrets/lists/{production}/values/DB%20PASSWORD',
      status: 200,
      data: { secret_value: 'plain-2' },
    },
    {
      it: 'answers a value that is the empty string',
      send: 'GET /api/secrets/lists/staging/values/DEBUG',
      status: 200,
      data: { secret_value: '' },
    },
    {
      it: 'answers 404 for a value of another list, by its key',
      send: 'GET /api/secrets/lists/staging/values/API_KEY',
      status: 404,
      hides: ['plain-1'],
    },
    {
      it: 'answers 404 for a value of another list, by its id',
      send: 'GET /api/secrets/lists/staging/values/{API_KEY}',
      status: 404,
      hides: ['plain-1'],
    },
    { it: 'answers 404 for an unknown list', send: 'GET /api/secrets/lists/nothing/values/API_KEY', status: 404 },
    { it: 'answers 404 for an unknown key', send: 'GET /api/secrets/lists/production/values/NOTHING', status: 404 },
    {
      it: 'answers 404 for a key in another case',
      send: 'GET /api/secrets/lists/production/values/api_key',
      status: 404,
    },
    {
      it: "answers 404 for another account's value",
      send: 'GET /api/secrets/lists/{theirs}/values/{THEIR_KEY}',
      status: 404,
      hides: ['plain-3'],
    },
    {
      it: "answers 404 for another account's value in a list of one's own",
      send: 'GET /api/secrets/lists/production/values/{THEIR_KEY}',
      status: 404,
      hides: ['plain-3'],
    },
    {
      it: 'is closed without a key',
      as: 'nobody',
      send: 'GET /api/secrets/lists/production/values/API_KEY',
      status: 401,
    },
  ]);

  test('a value has the members of the contract', async () => {
    const value = expectSuccess(await server.request('GET', `${PRODUCTION}/API_KEY`, { token: stage.tokens.writer }));
    expect(value).toMatchObject({
      id: stage.ids['API_KEY'],
      secret_list_id: stage.ids['production'],
      secret_key: 'API_KEY',
      secret_value: 'plain-1',
      created_at: expect.stringMatching(TIME),
      updated_at: expect.stringMatching(TIME),
    });
  });
});

describe('POST /api/secrets/lists/{list}/values', () => {
  testRows(onAFreshStage(), [
    {
      it: 'creates a value in a list that is named by its name',
      send: 'POST /api/secrets/lists/production/values',
      body: { secret_key: 'NEW', secret_value: 'new-1' },
      status: 200,
      data: { secret_key: 'NEW', secret_value: 'new-1' },
    },
    {
      it: 'creates a value in a list that is named by its id, from a form',
      send: 'POST /api/secrets/lists/{production}/values',
      form: { secret_key: 'NEW FORM', secret_value: 'a+b&c=d %' },
      status: 200,
      data: { secret_key: 'NEW FORM', secret_value: 'a+b&c=d %' },
    },
    {
      it: 'takes the empty string for a value',
      send: 'POST /api/secrets/lists/production/values',
      body: { secret_key: 'EMPTY', secret_value: '' },
      status: 200,
      data: { secret_value: '' },
    },
    {
      it: 'refuses a key that the list has',
      send: 'POST /api/secrets/lists/production/values',
      body: { secret_key: 'API_KEY', secret_value: 'canary' },
      status: 422,
      fields: ['secret_key'],
      hides: ['canary', 'API_KEY', 'plain-1'],
    },
    {
      it: 'refuses a key that another list of the account has',
      send: 'POST /api/secrets/lists/staging/values',
      body: { secret_key: 'API_KEY', secret_value: 'canary' },
      status: 422,
      fields: ['secret_key'],
    },
    {
      it: 'takes a key in another case for another key',
      send: 'POST /api/secrets/lists/staging/values',
      body: { secret_key: 'api_key', secret_value: 'canary' },
      status: 200,
    },
    {
      it: 'takes a key that another account has',
      send: 'POST /api/secrets/lists/staging/values',
      body: { secret_key: 'THEIR_KEY', secret_value: 'ours' },
      status: 200,
    },
    {
      it: 'asks for the key',
      send: 'POST /api/secrets/lists/staging/values',
      body: { secret_value: 'canary-value' },
      status: 422,
      fields: ['secret_key'],
      hides: ['canary'],
    },
    {
      it: 'asks for the value',
      send: 'POST /api/secrets/lists/staging/values',
      body: { secret_key: 'canary-key' },
      status: 422,
      fields: ['secret_value'],
      hides: ['canary'],
    },
    {
      it: 'asks for both at once',
      send: 'POST /api/secrets/lists/staging/values',
      status: 422,
      fields: ['secret_key', 'secret_value'],
    },
    {
      it: 'answers 404 for an unknown list',
      send: 'POST /api/secrets/lists/nothing/values',
      body: { secret_key: 'K', secret_value: 'v' },
      status: 404,
    },
    {
      it: "answers 404 for another account's list",
      send: 'POST /api/secrets/lists/{theirs}/values',
      body: { secret_key: 'K', secret_value: 'v' },
      status: 404,
    },
    {
      it: 'refuses a key that may only read',
      as: 'reader',
      send: 'POST /api/secrets/lists/production/values',
      body: { secret_key: 'K', secret_value: 'v' },
      status: 403,
    },
  ]);

  test('changes nothing when it is refused', async () => {
    const { writer: token } = stage.tokens;
    const before = await everything(stage);
    for (const body of [
      { secret_key: 'API_KEY', secret_value: 'canary' },
      { secret_key: '', secret_value: 'v' },
      { secret_key: 'K', secret_value: 5 },
    ]) {
      expectFailure(await server.request('POST', PRODUCTION, { token, body }), 422);
    }
    expect(await everything(stage)).toEqual(before);
  });

  test('names every field that is wrong at once', async () => {
    const body = { secret_key: '{', secret_value: 'x'.repeat(1_048_577) };
    const answer = await server.request('POST', PRODUCTION, { token: stage.tokens.writer, body });
    expectFailure(answer, 422, ['secret_key', 'secret_value']);
  });

  test('of any number of simultaneous creations of one key, in whichever lists, exactly one succeeds', async () => {
    const { writer: token } = stage.tokens;
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        server.request('POST', `/api/secrets/lists/${i % 2 === 0 ? 'production' : 'staging'}/values`, {
          token,
          body: { secret_key: 'CONTESTED', secret_value: String(i) },
        }),
      ),
    );
    const refused = answers.filter(({ status }) => status !== 200);
    for (const answer of refused) expectFailure(answer, 422, ['secret_key']);
    expect(refused).toHaveLength(19);
  });
});
