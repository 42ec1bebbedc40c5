// GET /api/secrets/all-values, as a client sees it.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { expectSuccess } from './api-answers.ts';
import { type Stage, setStage, testRows } from './api-table.ts';

let server: TestServer;
let stage: Stage;

beforeAll(async () => {
  server = await startTestServer();
  stage = await setStage(server);
});
afterAll(() => server.close());

describe('GET /api/secrets/all-values', () => {
  testRows(
    () => stage,
    [
      {
        it: 'answers the values of all lists in the order of their ids',
        send: 'GET /api/secrets/all-values',
        status: 200,
        data: [
          { secret_key: 'API_KEY', secret_value: 'plain-1' },
          { secret_key: 'DB PASSWORD', secret_value: 'plain-2' },
          { secret_key: 'DEBUG', secret_value: '' },
        ],
        hides: ['THEIR_KEY', 'plain-3'],
      },
      { it: 'is open to a key that may only read', as: 'reader', send: 'GET /api/secrets/all-values', status: 200 },
      {
        it: 'shows another account its own values alone',
        as: 'stranger',
        send: 'GET /api/secrets/all-values',
        status: 200,
        data: [{ secret_key: 'THEIR_KEY', secret_value: 'plain-3' }],
        hides: ['plain-1', 'plain-2'],
      },
      { it: 'is closed without a key', as: 'nobody', send: 'GET /api/secrets/all-values', status: 401 },
    ],
  );

  test('says which list a value is in, and is ordered by id whichever list comes first', async () => {
    const { writer: token } = stage.tokens;
    await server.request('POST', '/api/secrets/lists/production/values', {
      token,
      body: { secret_key: 'A LATER ONE', secret_value: 'v' },
    });
    const values = expectSuccess(await server.request('GET', '/api/secrets/all-values', { token }));
    const { production, staging } = stage.ids;
    expect(values.map((value: { secret_list_id: number }) => value.secret_list_id)).toEqual([
      production,
      production,
      staging,
      production,
    ]);
    const ids = values.map(({ id }: { id: number }) => id);
    expect(ids).toEqual(ids.toSorted((a: number, b: number) => a - b));
  });

  test('answers an empty array for an account without values', async () => {
    const { token } = await server.newKey('without-values');
    expect(expectSuccess(await server.request('GET', '/api/secrets/all-values', { token }))).toEqual([]);
  });
});
