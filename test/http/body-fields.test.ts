// The fields of a body: nothing is converted, nothing unknown matters, a form says the same as JSON.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, startTestServer, type TestServer } from '../support/test-server.ts';
import { expectFailure, expectSuccess, FORM, JSON_TYPE } from './api-answers.ts';

const LISTS = '/api/secrets/lists';
const VALUES = `${LISTS}/a/values`;
const VALUE = `${VALUES}/K`;
let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
  await server.request('POST', LISTS, { body: { name: 'a' } });
  await server.request('POST', VALUES, { body: { secret_key: 'K', secret_value: 'v' } });
});
afterAll(() => server.close());

function json(url: string, body: string): Promise<Answer> {
  return server.request('POST', url, { headers: JSON_TYPE, body });
}

function form(url: string, body: string): Promise<Answer> {
  return server.request('POST', url, { headers: FORM, body });
}

async function state(): Promise<string> {
  const [lists, values] = [await server.request('GET', LISTS), await server.request('GET', '/api/secrets/all-values')];
  return lists.text + values.text;
}

describe('a field that is no text', () => {
  const nonStrings = ['0', '1', '-1.5', '1e999', '12345678901234567890', 'true', 'false', 'null', '[]', '["x"]', '{}'];

  test.each([...nonStrings, '{"toString":"x"}', '[["x"]]'])('is 422 and never converted: %s', async (value) => {
    const before = await state();
    expectFailure(await json(LISTS, `{"name":${value}}`), 422, ['name']);
    expectFailure(await json(`${LISTS}/a`, `{"name":${value}}`), 422, ['name']);
    expectFailure(await json(VALUES, `{"secret_key":${value},"secret_value":"v"}`), 422, ['secret_key']);
    expectFailure(await json(VALUES, `{"secret_key":"new","secret_value":${value}}`), 422, ['secret_value']);
    expectFailure(await json(VALUE, `{"secret_key":${value}}`), 422, ['secret_key']);
    expectFailure(await json(VALUE, `{"secret_value":${value}}`), 422, ['secret_value']);
    const both = `{"secret_key":${value},"secret_value":${value}}`;
    expectFailure(await json(VALUES, both), 422, ['secret_key', 'secret_value']);
    expectFailure(await json(VALUE, both), 422, ['secret_key', 'secret_value']);
    expect(await state()).toBe(before);
  });

  test.each(['\\ud800', '\\udfff', 'a\\ud83db', '\\udd11\\ud83d', '\\ud83d\\ud83d'])(
    'with half of a surrogate pair is 422: %s',
    async (text) => {
      const before = await state();
      expectFailure(await json(LISTS, `{"name":"${text}"}`), 422, ['name']);
      expectFailure(await json(`${LISTS}/a`, `{"name":"${text}"}`), 422, ['name']);
      const both = `{"secret_key":"${text}","secret_value":"${text}"}`;
      expectFailure(await json(VALUES, both), 422, ['secret_key', 'secret_value']);
      expectFailure(await json(VALUE, both), 422, ['secret_key', 'secret_value']);
      expect(await state()).toBe(before);
    },
  );

  test('is fine when both halves of the pair are there', async () => {
    expect(expectSuccess(await json(LISTS, '{"name":"\\ud83d\\udd11"}')).name).toBe('🔑');
  });
});

describe('unknown fields', () => {
  test.each([
    '"id":99,"created_at":"2000-01-01T00:00:00Z","account_id":1',
    '"other":{"deep":[1,2,{"x":null}]}',
    '"NAME":"X","Name":"X"',
    '"":1',
    '"other":"\\ud800"',
    '"__proto__":{"name":"polluted"}',
    '"__proto__":null',
    '"constructor":{"prototype":{"name":"polluted"}}',
    '"prototype":{"name":"polluted"}',
    '"toString":"x","hasOwnProperty":1',
  ])('are ignored: %s', async (fields) => {
    const before = expectSuccess(await server.request('GET', `${LISTS}/a`));
    expect(expectSuccess(await json(LISTS, `{${fields}}`)).name).toMatch(/^list-/);
    const renamed = expectSuccess(await json(`${LISTS}/a`, `{${fields},"name":"a"}`));
    expect(renamed).toEqual({ ...before, updated_at: renamed.updated_at });
    expectFailure(await json(`${LISTS}/a`, `{${fields}}`), 422, ['name']);
    expectFailure(await json(VALUES, `{${fields}}`), 422, ['secret_key', 'secret_value']);
    expectFailure(await json(VALUE, `{${fields}}`), 422, ['secret_key', 'secret_value']);
    expect(({} as Record<string, unknown>)['name']).toBeUndefined();
  });

  test.each([
    '__proto__=x',
    '__proto__=x&__proto__=y',
    '__proto__[name]=x',
    'constructor=x',
    'constructor.prototype=x',
    'x=1&x=2',
    'name[]=x',
    '=x',
    '%00=x',
  ])('are ignored in a form: %s', async (fields) => {
    expect(expectSuccess(await form(LISTS, fields)).name).toMatch(/^list-/);
    expectFailure(await form(`${LISTS}/a`, fields), 422, ['name']);
    expect(expectSuccess(await form(`${LISTS}/a`, `${fields}&name=a`)).name).toBe('a');
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  test('do not matter in the query either', async () => {
    const answer = await server.request('POST', `${LISTS}?name=from-the-query&secret_key=x`);
    expect(expectSuccess(answer).name).toMatch(/^list-/);
  });
});

describe('a form', () => {
  test.each([
    ['name=x&name=y', ['name']],
    ['name=x&name=x', ['name']],
    ['name=x&other=1&name=', ['name']],
    ['name&name', ['name']],
    ['name=x&%6eame=y', ['name']],
    ['name=x&name=y&name=z', ['name']],
  ])('that has a field twice is 422: %s', async (body, fields) => {
    const before = await state();
    expectFailure(await form(LISTS, body), 422, fields);
    expectFailure(await form(`${LISTS}/a`, body), 422, fields);
    expect(await state()).toBe(before);
  });

  test('that has a key or value twice is 422', async () => {
    const before = await state();
    expectFailure(await form(VALUES, 'secret_key=x&secret_key=y&secret_value=v'), 422, ['secret_key']);
    expectFailure(await form(VALUES, 'secret_key=x&secret_value=v&secret_value=w'), 422, ['secret_value']);
    expectFailure(await form(VALUE, 'secret_value=v&secret_value='), 422, ['secret_value']);
    expect(await state()).toBe(before);
  });

  test.each(['%', '%2', '%zz', 'a%', '100%!', '%u0041', '%%41', '%c3%', '%E2%82', '%g1'])(
    'with a percent sign that encodes nothing is refused: %s',
    async (text) => {
      const before = await state();
      expectFailure(await form(LISTS, `name=${text}`), 400);
      expectFailure(await form(VALUES, `secret_key=x&secret_value=${text}`), 400);
      expectFailure(await form(VALUE, `secret_value=${text}`), 400);
      expectFailure(await form(LISTS, `${text}=x`), 400);
      expect(await state()).toBe(before);
    },
  );

  test.each([
    ['a+b', 'a b'],
    ['a%2Bb', 'a+b'],
    ['a%20b', 'a b'],
    ['a%26b%3Dc', 'a&b=c'],
    ['a=b=c', 'a=b=c'],
    ['a;b', 'a;b'],
    ['%F0%9F%94%91', '🔑'],
    ['🔑', '🔑'],
    ['%f0%9f%94%91', '🔑'],
    ['%00%0D%0A', '\u0000\r\n'],
    ['%EF%BB%BFx', '\ufeffx'],
    ['true', 'true'],
    ['12345678901234567890', '12345678901234567890'],
    ['null', 'null'],
    ['{"x":1}', '{"x":1}'],
    ['', ''],
  ])('with %s says %j', async (encoded, text) => {
    expect(expectSuccess(await form(VALUE, `secret_value=${encoded}`)).secret_value).toBe(text);
    expect(expectSuccess(await server.request('GET', VALUE)).secret_value).toBe(text);
  });

  test('with a field without an equals sign has it empty', async () => {
    expect(expectSuccess(await form(VALUE, 'secret_value')).secret_value).toBe('');
    expectFailure(await form(LISTS, 'name'), 422, ['name']);
  });

  test('gives the same result as JSON', async () => {
    const fields = { secret_key: 'Same KEY + é 🔑', secret_value: ' \ta&b=c%20+\r\nd ' };
    const fromForm = expectSuccess(await server.form('POST', VALUES, fields));
    await server.request('DELETE', `${VALUES}/${fromForm.id}`);
    const fromJson = expectSuccess(await server.request('POST', VALUES, { body: fields }));
    expect(fromForm).toMatchObject(fields);
    expect(fromJson).toEqual({
      ...fromForm,
      id: fromForm.id + 1,
      created_at: fromJson.created_at,
      updated_at: fromJson.updated_at,
    });
  });
});
