// How {list} and {value} in a path name a thing: digits are an id, anything else is the exact name, percent-encoded.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ListeningServer, startListeningServer } from '../support/listening-server.ts';
import { askRaw, rawRequest } from '../support/raw-client.ts';
import { TEST_TOKEN } from '../support/test-server.ts';
import { expectFailure, expectSuccess } from './api-answers.ts';

const LISTS = '/api/secrets/lists';
const KEY = '🔑';

let server: ListeningServer;

beforeAll(async () => {
  server = await startListeningServer();
});
afterAll(() => server.end());

/** As it is written: inject() would resolve dots in the path first, even encoded ones. */
function sendAsWritten(requestLine: string) {
  return askRaw(server.port, rawRequest(requestLine, [`Authorization: Bearer ${TEST_TOKEN}`]));
}

async function createList(name: string): Promise<{ id: number; name: string }> {
  return expectSuccess(await server.request('POST', LISTS, { body: { name } }));
}

async function createValue(list: number, secretKey: string, secretValue = 'v'): Promise<{ id: number }> {
  const body = { secret_key: secretKey, secret_value: secretValue };
  return expectSuccess(await server.request('POST', `${LISTS}/${list}/values`, { body }));
}

describe('digits alone', () => {
  test('are an id and never a name: a list named 2024 is reached by its id alone', async () => {
    const { id } = await createList('2024');
    expectFailure(await server.request('GET', `${LISTS}/2024`), 404);
    expectFailure(await server.request('GET', `${LISTS}/2024/values`), 404);
    expectFailure(await server.request('DELETE', `${LISTS}/2024`), 404);
    expect(expectSuccess(await server.request('GET', `${LISTS}/${id}`)).name).toBe('2024');
  });

  test('are the id even of a list whose number is the name of another one', async () => {
    const { id } = await createList('a list with a number');
    const namesake = await createList(String(id));
    expect(expectSuccess(await server.request('GET', `${LISTS}/${id}`)).name).toBe('a list with a number');
    expect(expectSuccess(await server.request('GET', `${LISTS}/${namesake.id}`)).name).toBe(String(id));
  });

  test('are an id for values too: a secret key 2025 is reached by its id alone', async () => {
    const list = await createList('numbered keys');
    const { id } = await createValue(list.id, '2025', 'by id');
    expectFailure(await server.request('GET', `${LISTS}/${list.id}/values/2025`), 404);
    const read = await server.request('GET', `${LISTS}/${list.id}/values/${id}`);
    expect(expectSuccess(read)).toMatchObject({ secret_key: '2025', secret_value: 'by id' });
  });

  test('are an id when percent-encoded', async () => {
    const { id } = await createList('encoded digits');
    const encoded = [...String(id)].map((digit) => `%3${digit}`).join('');
    expect(expectSuccess(await server.request('GET', `${LISTS}/${encoded}`)).id).toBe(id);
  });

  test('with leading zeros are still an id, never a name', async () => {
    const { id } = await createList('behind zeros');
    await createList(`000${id}`);
    expect(expectSuccess(await server.request('GET', `${LISTS}/000${id}`)).id).toBe(id);
  });

  test.each(['0', '00', '9007199254740993', '18446744073709551616', '9'.repeat(400), `1${'0'.repeat(3000)}`])(
    'that no thing has are 404: %s',
    async (digits) => {
      await server.request('POST', LISTS, { body: { name: digits } });
      const { id } = await createList(`for ${digits.slice(0, 40)}${digits.length}`);
      for (const url of [`${LISTS}/${digits}`, `${LISTS}/${digits}/values`, `${LISTS}/${id}/values/${digits}`]) {
        expectFailure(await server.request('GET', url), 404);
        if (!url.endsWith('values')) expectFailure(await server.request('DELETE', url), 404);
      }
    },
  );

  test.each(['-1', '+1', '1.0', '1e0', '0x1', '1 ', '٣', '１', '1n', 'NaN', 'null', 'undefined'])(
    'are nothing else: "%s" is a name',
    async (name) => {
      expectFailure(await server.request('GET', `${LISTS}/${encodeURIComponent(name)}`), 404);
    },
  );
});

describe('any other name', () => {
  const names = [
    ['slashes', 'a/b/c'],
    ['a slash alone', '/'],
    ['a backslash', 'a\\b'],
    ['a slash that looks encoded', 'a%2fb'],
    ['a percent sign', '100%'],
    ['an escape of an escape', '%2525'],
    ['a plus', 'a+b c'],
    ['spaces', 'two  words'],
    ['dots', '...hidden.list..'],
    ['an ending', 'file.json'],
    ['a question mark, a hash and an ampersand', 'a?b=c#d&key=e'],
    ['a semicolon and a colon', 'a;b:c'],
    ['a colon first', ':secretList'],
    ['an asterisk', '*'],
    ['quotes', '"quoted" \'and\' `so`'],
    ['SQL', "x' OR '1'='1"],
    ['LIKE', '%_%'],
    ['another script', 'Straße Übung 日本語 עברית'],
    ['an emoji', '🔐🗝️👩‍👩‍👧'],
    ['a combining accent', 'e\u0301'],
    ['an unbreakable space within', 'a\u00a0b'],
    ['a bidi control', 'a\u202eb'],
    ['the name of a route', 'values'],
    ['the name of the other route', 'all-values'],
    ['the name of a prototype', '__proto__'],
    ['the name of a constructor', 'constructor'],
    ['null', 'null'],
  ] as const;

  test.each(names)('works percent-encoded, in a list and in a secret key, with %s', async (_, name) => {
    const segment = encodeURIComponent(name);
    const list = await createList(name);
    const value = await createValue(list.id, name.replaceAll(/[{}|]/g, '-'), 'found');
    expect(expectSuccess(await server.request('GET', `${LISTS}/${segment}`))).toEqual(list);
    const read = await server.request('GET', `${LISTS}/${segment}/values/${segment}`);
    expect(expectSuccess(read)).toMatchObject({ id: value.id, secret_list_id: list.id, secret_value: 'found' });
    expect(expectSuccess(await server.request('GET', `${LISTS}/${segment}/values`))).toHaveLength(1);
    const renamed = await server.request('POST', `${LISTS}/${segment}`, { body: { name: `${name}!` } });
    expect(expectSuccess(renamed).name).toBe(`${name}!`);
    expectFailure(await server.request('GET', `${LISTS}/${segment}`), 404);
    expectSuccess(await server.request('DELETE', `${LISTS}/${encodeURIComponent(`${name}!`)}/values/${segment}`));
    expectSuccess(await server.request('DELETE', `${LISTS}/${encodeURIComponent(`${name}!`)}`));
  });

  test.each(['.', '..', '../..', './a'])(
    'may be made of dots: "%s", sent by a client that leaves paths alone',
    async (name) => {
      const list = await createList(name);
      await createValue(list.id, name);
      const segment = encodeURIComponent(name).replaceAll('.', '%2e');
      for (const target of [`${LISTS}/${segment}`, `${LISTS}/${encodeURIComponent(name)}`]) {
        const answer = await sendAsWritten(`GET ${target}`);
        expect([answer.status, answer.json.data]).toEqual([200, list]);
      }
      expect((await sendAsWritten(`GET ${LISTS}/${segment}/values/${segment}`)).status).toBe(200);
      expect((await sendAsWritten(`DELETE ${LISTS}/${segment}`)).status).toBe(200);
    },
  );

  test('may have 255 characters of four bytes, in both segments', async () => {
    const name = KEY.repeat(255);
    const list = await createList(name);
    const value = await createValue(list.id, name, 'long way');
    const segment = encodeURIComponent(name);
    expect(segment).toHaveLength(3060);
    const read = await server.request('GET', `${LISTS}/${segment}/values/${segment}?key=${TEST_TOKEN}`, {
      token: null,
    });
    expect(expectSuccess(read)).toMatchObject({ id: value.id, secret_value: 'long way' });
  });

  test('of 256 characters is 404', async () => {
    expectFailure(await server.request('GET', `${LISTS}/${encodeURIComponent(KEY.repeat(256))}`), 404);
  });

  test('is exact: neither trimmed nor normalised nor folded', async () => {
    const { id } = await createList('Caf\u00e9');
    await createValue(id, 'KEY É', 'v');
    for (const other of [' Caf\u00e9', 'Caf\u00e9 ', 'Cafe\u0301', 'caf\u00e9', 'CAF\u00c9', 'Cafe']) {
      expectFailure(await server.request('GET', `${LISTS}/${encodeURIComponent(other)}`), 404);
    }
    for (const other of [' KEY É', 'KEY É ', 'KEY E\u0301', 'key é', 'KEY  É']) {
      expectFailure(await server.request('GET', `${LISTS}/${id}/values/${encodeURIComponent(other)}`), 404);
    }
  });

  test('of the NFC and the NFD form is two names', async () => {
    const composed = await createList('\u00fc');
    const decomposed = await createList('u\u0308');
    expect(expectSuccess(await server.request('GET', `${LISTS}/%C3%BC`)).id).toBe(composed.id);
    expect(expectSuccess(await server.request('GET', `${LISTS}/u%CC%88`)).id).toBe(decomposed.id);
  });

  test('that is empty is 404, on every method', async () => {
    // What these paths would name if two slashes were taken for one.
    const namesake = await createList('values');
    await createValue(namesake.id, 'x');
    for (const url of [`${LISTS}/`, `${LISTS}//values`, `${LISTS}//values/x`]) {
      expectFailure(await server.request('GET', url), 404);
    }
    expectFailure(await server.request('DELETE', `${LISTS}/`), 404);
    expectFailure(await server.request('POST', `${LISTS}/`, { body: { name: 'x' } }), 404);
  });

  test.each(['%ff', '%c3', '%ed%a0%80', '%zz', '%', '%2', 'a%f'])(
    'that is no UTF-8 or badly encoded is refused: %s',
    async (segment) => {
      for (const url of [`${LISTS}/${segment}`, `${LISTS}/x/values/${segment}`]) {
        const answer = await server.request('GET', url);
        expectFailure(answer, 400);
        expect(answer.text).not.toContain(segment);
      }
    },
  );

  test('with a control character is 404', async () => {
    for (const segment of ['%00', 'a%0d%0ab', '%1b', '%7f', '%c2%85']) {
      expectFailure(await server.request('GET', `${LISTS}/${segment}`), 404);
    }
  });
});
