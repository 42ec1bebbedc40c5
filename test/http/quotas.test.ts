// An account that holds as much as it may: a 422 about the field, in a sentence that says what to do.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, TEST_TOKEN, type TestServer } from '../support/test-server.ts';
import { expectFailure, expectSuccess, FORM } from './api-answers.ts';
import { INSTANCES, newInstance, PUBLIC_URL } from './seed-stage.ts';

const LISTS = '/api/secrets/lists';
const VALUES = `${LISTS}/home/values`;
let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({
    SECRET_MANAGER_PUBLIC_URL: PUBLIC_URL,
    SECRET_MANAGER_MAX_LISTS: '2',
    SECRET_MANAGER_MAX_VALUES: '3',
    SECRET_MANAGER_MAX_INSTANCES: '1',
  });
  for (const name of ['home', 'other']) await server.request('POST', LISTS, { body: { name } });
  for (const key of ['A', 'B', 'C']) await server.request('POST', VALUES, { body: secret(key) });
});
afterAll(() => server.close());

function secret(key: string) {
  return { secret_key: key, secret_value: 'canary-value' };
}

describe('a full account', () => {
  test('takes no more lists, named or not', async () => {
    for (const body of [{ name: 'more' }, {}, undefined]) {
      const answer = await server.request('POST', LISTS, body === undefined ? {} : { body });
      expectFailure(answer, 422, ['name']);
      expect(answer.json.fields.name).toEqual([
        'This account holds as many secret lists as it may, 2; delete some, or have SECRET_MANAGER_MAX_LISTS raised on the server.',
      ]);
    }
  });

  test('takes no more values, in whichever list', async () => {
    for (const list of ['home', 'other']) {
      const answer = await server.request('POST', `${LISTS}/${list}/values`, { body: secret('MORE') });
      expectFailure(answer, 422, ['secret_key']);
      expect(answer.json.fields.secret_key[0]).toMatch(/as many values as it may, 3; .*SECRET_MANAGER_MAX_VALUES/);
      expect(answer.text).not.toContain('canary');
    }
    const form = { headers: FORM, body: 'secret_key=MORE&secret_value=x' };
    expectFailure(await server.request('POST', VALUES, form), 422, ['secret_key']);
  });

  test('takes no more instances', async () => {
    const { id } = await newInstance(server);
    const body = { instance_id: 'more', hostname: 'more', user_data: '#cloud-config\n{}\n' };
    const answer = await server.request('POST', INSTANCES, { body });
    expectFailure(answer, 422, ['instance_id']);
    expect(answer.json.fields.instance_id[0]).toMatch(/as many instances as it may, 1; .*SECRET_MANAGER_MAX_INSTANCES/);
    expectSuccess(await server.request('DELETE', `${INSTANCES}/${id}`));
    expectSuccess(await server.request('POST', INSTANCES, { body }));
  });

  test('has everything else as before: 404, other 422s, updates, reads', async () => {
    expectFailure(await server.request('POST', `${LISTS}/nothing/values`, { body: secret('MORE') }), 404);
    expectFailure(await server.request('POST', LISTS, { body: { name: '' } }), 422, ['name']);
    expectSuccess(await server.request('POST', `${VALUES}/A`, { body: { secret_value: 'new' } }));
    expectSuccess(await server.request('POST', `${LISTS}/other`, { body: { name: 'renamed' } }));
    expect(expectSuccess(await server.request('GET', VALUES))).toHaveLength(3);
  });

  test('takes as much again as was deleted', async () => {
    expectSuccess(await server.request('DELETE', `${LISTS}/home`));
    expectSuccess(await server.request('POST', LISTS, { body: { name: 'home' } }));
    for (const key of ['A', 'B', 'C']) expectSuccess(await server.request('POST', VALUES, { body: secret(key) }));
    expectFailure(await server.request('POST', VALUES, { body: secret('D') }), 422, ['secret_key']);
  });

  test('leaves another account its own room', async () => {
    const { token } = await server.newKey('another');
    expectSuccess(await server.request('POST', LISTS, { token, body: { name: 'theirs' } }));
    expectFailure(await server.request('POST', LISTS, { token: TEST_TOKEN, body: { name: 'ours' } }), 422, ['name']);
  });
});
