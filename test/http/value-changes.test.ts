// The endpoints that change a value or delete it, as a client sees them.

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

describe('POST /api/secrets/lists/{list}/values/{value}', () => {
  testRows(onAFreshStage(), [
    {
      it: 'changes the value and keeps the key',
      send: 'POST /api/secrets/lists/production/values/API_KEY',
      body: { secret_value: 'changed-1' },
      status: 200,
      data: { secret_key: 'API_KEY', secret_value: 'changed-1' },
    },
    {
      it: 'changes the key and keeps the value',
      send: 'POST /api/secrets/lists/production/values/{API_KEY}',
      body: { secret_key: 'API_TOKEN' },
      status: 200,
      data: { secret_key: 'API_TOKEN', secret_value: 'changed-1' },
    },
    {
      it: 'has the changed value under its new key',
      send: 'GET /api/secrets/lists/production/values/API_TOKEN',
      status: 200,
      data: { secret_key: 'API_TOKEN', secret_value: 'changed-1' },
    },
    {
      it: 'has nothing under the old key any more',
      send: 'GET /api/secrets/lists/production/values/API_KEY',
      status: 404,
    },
    {
      it: 'changes both, and takes a form',
      send: 'POST /api/secrets/lists/production/values/API_TOKEN',
      form: { secret_key: 'API_KEY', secret_value: 'plain-1' },
      status: 200,
      data: { secret_key: 'API_KEY', secret_value: 'plain-1' },
    },
    {
      it: 'empties a value',
      send: 'POST /api/secrets/lists/production/values/API_KEY',
      body: { secret_value: '' },
      status: 200,
      data: { secret_key: 'API_KEY', secret_value: '' },
    },
    {
      it: 'keeps the emptied value when only the key is sent',
      send: 'POST /api/secrets/lists/production/values/API_KEY',
      form: { secret_key: 'API_KEY' },
      status: 200,
      data: { secret_key: 'API_KEY', secret_value: '' },
    },
    {
      it: 'takes its own key',
      send: 'POST /api/secrets/lists/production/values/API_KEY',
      body: { secret_key: ' API_KEY ', secret_value: 'plain-1' },
      status: 200,
      data: { secret_key: 'API_KEY', secret_value: 'plain-1' },
    },
    {
      it: "refuses another value's key in the list",
      send: 'POST /api/secrets/lists/production/values/API_KEY',
      body: { secret_key: 'DB PASSWORD' },
      status: 422,
      fields: ['secret_key'],
    },
    {
      it: 'refuses a key of another list of the account',
      send: 'POST /api/secrets/lists/production/values/API_KEY',
      body: { secret_key: 'DEBUG', secret_value: 'canary' },
      status: 422,
      fields: ['secret_key'],
      hides: ['canary', 'DEBUG'],
    },
    {
      it: 'changed nothing when the key was refused',
      send: 'GET /api/secrets/lists/production/values/API_KEY',
      status: 200,
      data: { secret_value: 'plain-1' },
    },
    {
      it: 'refuses a body without either field, and names both',
      send: 'POST /api/secrets/lists/production/values/API_KEY',
      status: 422,
      fields: ['secret_key', 'secret_value'],
    },
    {
      it: 'refuses a body of unknown fields alone',
      send: 'POST /api/secrets/lists/production/values/API_KEY',
      body: { name: 'x', value: 'y' },
      status: 422,
      fields: ['secret_key', 'secret_value'],
    },
    {
      it: 'answers 404 for a value of another list',
      send: 'POST /api/secrets/lists/staging/values/{API_KEY}',
      body: { secret_value: 'x' },
      status: 404,
    },
    {
      it: 'answers 404 for an unknown value',
      send: 'POST /api/secrets/lists/production/values/NOTHING',
      body: { secret_value: 'x' },
      status: 404,
    },
    {
      it: "answers 404 for another account's value",
      send: 'POST /api/secrets/lists/{theirs}/values/{THEIR_KEY}',
      body: { secret_value: 'x' },
      status: 404,
    },
    {
      it: 'refuses a key that may only read',
      as: 'reader',
      send: 'POST /api/secrets/lists/production/values/API_KEY',
      body: { secret_value: 'x' },
      status: 403,
    },
  ]);

  test('keeps id, list and time of creation', async () => {
    const { writer: token } = stage.tokens;
    const before = expectSuccess(await server.request('GET', `${PRODUCTION}/API_KEY`, { token }));
    const after = expectSuccess(
      await server.request('POST', `${PRODUCTION}/API_KEY`, { token, body: { secret_value: 'newer' } }),
    );
    expect(after).toEqual({
      ...before,
      secret_value: 'newer',
      version: before.version + 1,
      updated_at: expect.stringMatching(TIME),
    });
    expect(Date.parse(after.updated_at)).toBeGreaterThanOrEqual(Date.parse(before.updated_at));
    expect(expectSuccess(await server.request('GET', `${PRODUCTION}/API_KEY`, { token }))).toEqual(after);
  });

  test('changes nothing when one of two fields is refused', async () => {
    const { writer: token } = stage.tokens;
    const before = await everything(stage);
    for (const body of [
      { secret_key: 'a|b', secret_value: 'lost' },
      { secret_key: 'RENAMED', secret_value: null },
      { secret_key: 7, secret_value: 'lost' },
      { secret_key: 'RENAMED', secret_value: 'x'.repeat(1_048_577) },
    ]) {
      expectFailure(await server.request('POST', `${PRODUCTION}/API_KEY`, { token, body }), 422);
    }
    expect(await everything(stage)).toEqual(before);
  });
});

describe('DELETE /api/secrets/lists/{list}/values/{value}', () => {
  testRows(onAFreshStage(), [
    {
      it: 'refuses a key that may only read',
      as: 'reader',
      send: 'DELETE /api/secrets/lists/production/values/API_KEY',
      status: 403,
    },
    {
      it: 'answers 404 for a value of another list',
      send: 'DELETE /api/secrets/lists/staging/values/API_KEY',
      status: 404,
    },
    {
      it: "answers 404 for another account's value",
      send: 'DELETE /api/secrets/lists/{theirs}/values/THEIR_KEY',
      status: 404,
    },
    {
      it: 'deletes a value by its key',
      send: 'DELETE /api/secrets/lists/production/values/API_KEY',
      status: 200,
      data: null,
    },
    {
      it: 'answers 404 the second time',
      send: 'DELETE /api/secrets/lists/production/values/API_KEY',
      status: 404,
    },
    {
      it: 'deletes a value by its id',
      send: 'DELETE /api/secrets/lists/{staging}/values/{DEBUG}',
      status: 200,
      data: null,
    },
    {
      it: 'leaves the others, and the lists',
      send: 'GET /api/secrets/all-values',
      status: 200,
      data: [{ secret_key: 'DB PASSWORD', secret_value: 'plain-2' }],
    },
    {
      it: 'leaves the list of a deleted value',
      send: 'GET /api/secrets/lists/staging/values',
      status: 200,
      data: [],
    },
    {
      it: 'frees the key for another list',
      send: 'POST /api/secrets/lists/staging/values',
      body: { secret_key: 'API_KEY', secret_value: 'again' },
      status: 200,
    },
  ]);

  test('never gives an id twice', async () => {
    const { writer: token } = stage.tokens;
    const body = { secret_key: 'SHORT LIVED', secret_value: 'v' };
    const first = expectSuccess(await server.request('POST', PRODUCTION, { token, body }));
    await server.request('DELETE', `${PRODUCTION}/${first.id}`, { token });
    const second = expectSuccess(await server.request('POST', PRODUCTION, { token, body }));
    expect(second.id).toBeGreaterThan(first.id);
    expectFailure(await server.request('GET', `${PRODUCTION}/${first.id}`, { token }), 404);
  });
});
