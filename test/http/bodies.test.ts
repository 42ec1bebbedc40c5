// What a body may be: its type, its encoding, its syntax and its size, and what an empty one means.

import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, startTestServer, type TestServer } from '../support/test-server.ts';
import { expectFailure, expectSuccess, FORM, JSON_TYPE } from './api-answers.ts';

const LISTS = '/api/secrets/lists';
const MAX_BODY = 4_194_304;
let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
  await server.request('POST', LISTS, { body: { name: 'a' } });
  await server.request('POST', `${LISTS}/a/values`, { body: { secret_key: 'K', secret_value: 'v' } });
});
afterAll(() => server.close());

function post(body: unknown, headers: Record<string, string> = JSON_TYPE, url = LISTS): Promise<Answer> {
  return server.request('POST', url, { headers, body });
}

describe('an empty body', () => {
  const types: [string, Record<string, string>][] = [
    ['no content type', {}],
    ['no content type and a length of 0', { 'content-length': '0' }],
    ['JSON', JSON_TYPE],
    ['JSON and a length of 0', { ...JSON_TYPE, 'content-length': '0' }],
    ['JSON with a charset', { 'content-type': 'application/json; charset=utf-8' }],
    ['JSON, chunked', { ...JSON_TYPE, 'transfer-encoding': 'chunked' }],
    ['a form', FORM],
    ['a form with a charset', { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' }],
    ['another type', { 'content-type': 'text/plain' }],
    ['a multipart form', { 'content-type': 'multipart/form-data; boundary=x' }],
    ['something that is no type', { 'content-type': 'json' }],
    ['an empty content type', { 'content-type': '' }],
    ['an announced encoding', { ...JSON_TYPE, 'content-encoding': 'gzip' }],
  ];

  test.each(types)('is a body without fields on every method, with %s', async (_, headers) => {
    const created = await server.request('POST', LISTS, { headers });
    const { id } = expectSuccess(created);
    expectSuccess(await server.request('GET', LISTS, { headers }));
    expectSuccess(await server.request('GET', `${LISTS}/${id}`, { headers }));
    expectSuccess(await server.request('GET', `${LISTS}/${id}/values`, { headers }));
    expectSuccess(await server.request('GET', '/api/secrets/all-values', { headers }));
    expectSuccess(await server.request('GET', `${LISTS}/a/values/K`, { headers }));
    expectFailure(await server.request('POST', `${LISTS}/${id}`, { headers }), 422, ['name']);
    const values = `${LISTS}/${id}/values`;
    expectFailure(await server.request('POST', values, { headers }), 422, ['secret_key', 'secret_value']);
    const value = await post({ secret_key: `k${id}`, secret_value: 'v' }, JSON_TYPE, values);
    const change = await server.request('POST', `${values}/k${id}`, { headers });
    expectFailure(change, 422, ['secret_key', 'secret_value']);
    expect(expectSuccess(await server.request('DELETE', `${values}/${value.json.data.id}`, { headers }))).toBeNull();
    expect(expectSuccess(await server.request('DELETE', `${LISTS}/${id}`, { headers }))).toBeNull();
  });

  test('may hold blanks in a form, but is no JSON then', async () => {
    expectSuccess(await post('&', FORM));
    expectFailure(await post(' '), 400);
  });
});

describe('the content type', () => {
  test.each([
    'application/json',
    'application/json; charset=utf-8',
    'application/json;charset=UTF-8',
    'application/json; charset="utf-8"',
    'application/json; charset=latin1',
    'Application/JSON',
    'application/json;',
  ])('%s is JSON, and read as UTF-8', async (type) => {
    const name = `Zoë ${type}`;
    const answer = await post(JSON.stringify({ name }), { 'content-type': type });
    expect(expectSuccess(answer).name).toBe(name);
  });

  test.each([
    'application/x-www-form-urlencoded',
    'application/x-www-form-urlencoded; charset=utf-8',
    'application/x-www-form-urlencoded;charset=ISO-8859-1',
    'APPLICATION/X-WWW-FORM-URLENCODED',
  ])('%s is a form, and read as UTF-8', async (type) => {
    const name = `Zoë ${type}`;
    const answer = await post(new URLSearchParams({ name }).toString(), { 'content-type': type });
    expect(expectSuccess(answer).name).toBe(name);
  });

  test.each([
    'text/plain',
    'text/json',
    'application/jsonp',
    'application/json2',
    'application/xml',
    'application/vnd.api+json',
    'application/octet-stream',
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencoded2',
    'application',
    'json',
    '/',
    '*/*',
    'text/plain; application/json',
    'text/plain, application/json',
    'application/json, text/plain',
  ])('%s with a body is refused, on POST and on DELETE', async (type) => {
    const before = (await server.request('GET', LISTS)).text;
    const headers = { 'content-type': type };
    expectFailure(await post('{"name":"never"}', headers), 415);
    expectFailure(await server.request('DELETE', `${LISTS}/a`, { headers, body: '{}' }), 415);
    expect((await server.request('GET', LISTS)).text).toBe(before);
  });

  test('that is missing with a body is refused', async () => {
    expectFailure(await post('{"name":"never"}', {}), 415);
    expectFailure(await post('name=never', {}), 415);
  });
});

describe('a compressed body', () => {
  test.each(['gzip', 'deflate', 'br', 'zstd', 'GZIP', 'gzip, identity', 'identity, gzip', 'x'])(
    'is refused: %s',
    async (encoding) => {
      const json = '{"name":"never"}';
      for (const body of [gzipSync(json), json]) {
        expectFailure(await post(body, { ...JSON_TYPE, 'content-encoding': encoding }), 415);
      }
      expectFailure(await post('name=never', { ...FORM, 'content-encoding': encoding }), 415);
    },
  );

  test('that says identity is not compressed', async () => {
    expectSuccess(await post('{"name":"identity"}', { ...JSON_TYPE, 'content-encoding': 'identity' }));
  });

  test('without saying so is not JSON', async () => {
    expectFailure(await post(gzipSync('{"name":"never"}')), 400);
  });
});

describe('JSON', () => {
  test.each([
    ['nothing but an opening brace', '{'],
    ['trailing garbage', '{"name":"x"} x'],
    ['a second object', '{"name":"x"}{"name":"y"}'],
    ['a trailing comma', '{"name":"x",}'],
    ['single quotes', "{'name':'x'}"],
    ['a comment', '{"name":"x"/**/}'],
    ['a raw line break in a string', '{"name":"a\nb"}'],
    ['NaN', '{"name":NaN}'],
    ['an unfinished escape', '{"name":"\\u00"}'],
    ['an unknown escape', '{"name":"\\x41"}'],
    ['an unfinished string', '{"name":"x'],
    ['a form', 'name=x'],
    ['a byte order mark', '\ufeff{"name":"x"}'],
    ['a byte order mark of UTF-16', Buffer.from('\ufeff{"name":"x"}', 'utf16le')],
    ['UTF-16', Buffer.from('{"name":"x"}', 'utf16le')],
    ['null', 'null'],
    ['an array', '[]'],
    ['an array of an object', '[{"name":"x"}]'],
    ['a string', '"x"'],
    ['a number', '1'],
    ['true', 'true'],
  ])('with %s is refused', async (_, body) => {
    const before = (await server.request('GET', LISTS)).text;
    expectFailure(await post(body), 400);
    expectFailure(await server.request('DELETE', `${LISTS}/a`, { headers: JSON_TYPE, body }), 400);
    expect((await server.request('GET', LISTS)).text).toBe(before);
  });

  test('with blanks around it is JSON', async () => {
    expectSuccess(await post('\r\n\t {"name":"blanks"} \n'));
  });

  test.each([
    ['a lone continuation byte', [0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['an unfinished character', [0xe2, 0x82]],
    ['half of a surrogate pair', [0xed, 0xa0, 0x80]],
    ['a code point too far', [0xf4, 0x90, 0x80, 0x80]],
    ['a byte that UTF-8 never has', [0xff]],
    ['Latin-1', [0x5a, 0x6f, 0xeb]],
  ])('with %s is refused as JSON and as a form', async (_, bytes) => {
    const wrong = Buffer.from(bytes);
    expectFailure(await post(Buffer.concat([Buffer.from('{"name":"'), wrong, Buffer.from('"}')])), 400);
    expectFailure(await post(Buffer.concat([Buffer.from('{"other":"'), wrong, Buffer.from('"}')])), 400);
    expectFailure(await post(Buffer.concat([Buffer.from('name='), wrong]), FORM), 400);
    const encoded = bytes.map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
    expectFailure(await post(`name=${encoded}`, FORM), 400);
    expectFailure(await post(`${encoded}=x`, FORM), 400);
  });

  test.each([
    ['brackets', '['.repeat(100_000)],
    ['braces', '{"a":'.repeat(100_000)],
    ['brackets that are closed', '['.repeat(100_000) + ']'.repeat(100_000)],
    ['brackets in an unknown field', `{"name":"x","other":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    ['brackets up to the limit of a body', '['.repeat(MAX_BODY)],
  ])('of 100,000 nested %s is refused at once', async (_, body) => {
    const startedAt = performance.now();
    expectFailure(await post(body), 400);
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });

  test('may hold any number of brackets in a string', async () => {
    const secretValue = '[{"\\'.repeat(1000);
    const answer = await post({ secret_key: 'brackets', secret_value: secretValue }, {}, `${LISTS}/a/values`);
    expect(expectSuccess(answer).secret_value).toBe(secretValue);
  });
});

describe('the size of a body', () => {
  function padded(bytes: number, fields: string): string {
    return `{${fields},"other":"${'x'.repeat(bytes - fields.length - 13)}"}`;
  }

  test('of 4 MiB exactly is taken', async () => {
    const body = padded(MAX_BODY, '"name":"of 4 MiB"');
    expect(Buffer.byteLength(body)).toBe(MAX_BODY);
    expect(expectSuccess(await post(body)).name).toBe('of 4 MiB');
    const form = `name=of+4+MiB+too&other=${'x'.repeat(MAX_BODY - 24)}`;
    expect(Buffer.byteLength(form)).toBe(MAX_BODY);
    expect(expectSuccess(await post(form, FORM)).name).toBe('of 4 MiB too');
  });

  test('of one byte more is 413, and nothing is created', async () => {
    const before = (await server.request('GET', LISTS)).text;
    expectFailure(await post(padded(MAX_BODY + 1, '"name":"too large"')), 413);
    expectFailure(await post(`name=too+large&other=${'x'.repeat(MAX_BODY)}`, FORM), 413);
    expectFailure(await server.request('DELETE', `${LISTS}/a`, { headers: FORM, body: 'x'.repeat(MAX_BODY + 1) }), 413);
    expect((await server.request('GET', LISTS)).text).toBe(before);
  });

  test('matters only after the key: without one it is 401', async () => {
    const answer = await server.request('POST', LISTS, {
      token: null,
      headers: JSON_TYPE,
      body: 'x'.repeat(MAX_BODY + 1),
    });
    expectFailure(answer, 401);
  });
});
