// The rules for names, keys and values at their limits, on creation and on change alike.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, startTestServer, type TestServer } from '../support/test-server.ts';
import { expectFailure, expectSuccess, FORM } from './api-answers.ts';

const LISTS = '/api/secrets/lists';
const VALUES = `${LISTS}/home/values`;
const MAX_VALUE_BYTES = 1_048_576;
let server: TestServer;
let unique = 0;

beforeAll(async () => {
  server = await startTestServer();
  await server.request('POST', LISTS, { body: { name: 'home' } });
});
afterAll(() => server.close());

/** The four ways a list name or a secret key gets in; each on something of its own. */
const LABELS: readonly { readonly field: string; readonly way: string; send(text: string): Promise<Answer> }[] = [
  { field: 'name', way: 'a new list', send: (name) => server.request('POST', LISTS, { body: { name } }) },
  {
    field: 'name',
    way: 'a renamed list',
    async send(name) {
      const { id } = expectSuccess(await server.request('POST', LISTS));
      return await server.request('POST', `${LISTS}/${id}`, { body: { name } });
    },
  },
  {
    field: 'secret_key',
    way: 'a new value',
    send: (key) => server.request('POST', VALUES, { body: { secret_key: key, secret_value: 'v' } }),
  },
  { field: 'secret_key', way: "a value's changed key", send: (key) => changeValue({ secret_key: key }) },
];

async function changeValue(body: Record<string, string>): Promise<Answer> {
  unique += 1;
  const created = await server.request('POST', VALUES, { body: { secret_key: `own-${unique}`, secret_value: 'v' } });
  return await server.request('POST', `${VALUES}/${expectSuccess(created).id}`, { body });
}

/** Frees the name or key again. */
async function forget({ id, secret_key }: { id: number; secret_key?: string }): Promise<void> {
  expectSuccess(await server.request('DELETE', secret_key === undefined ? `${LISTS}/${id}` : `${VALUES}/${id}`));
}

describe.each(LABELS)('the $field of $way', ({ field, send }) => {
  test.each([
    ['1 character', 'x'],
    ['255 characters', 'x'.repeat(255)],
    ['255 characters of two bytes', 'é'.repeat(255)],
    ['255 characters of four bytes', '🔑'.repeat(255)],
    ['255 characters after trimming', `${' '.repeat(300)}${'y'.repeat(255)}${'\t'.repeat(300)}`],
    ['a name that only looks like a path', '../../etc/passwd'],
    ['SQL', "'; DROP TABLE secret_lists; --"],
    ['a word of JavaScript', '__proto__'],
    ['a bidi control', 'a\u202eb'],
    ['a zero-width joiner', 'a\u200db'],
    ['a noncharacter', 'a\uffffb'],
    ['brackets and a dollar', '$[(<a>)]'],
  ])('may be %s', async (_, text) => {
    const created = expectSuccess(await send(text));
    expect(created[field]).toBe(text.trim());
    await forget(created);
  });

  test.each([
    ['empty', ''],
    ['a blank', ' '],
    ['blanks of all kinds', ' \t\r\n\u00a0\u2003\u3000\ufeff'],
    ['256 characters', 'x'.repeat(256)],
    ['256 characters of four bytes', '🔑'.repeat(256)],
    ['very long', 'x'.repeat(1_000_000)],
  ])('may not be %s', async (_, text) => {
    const answer = await send(text);
    expectFailure(answer, 422, [field]);
    expect(answer.text.length).toBeLessThan(500);
  });

  test('may have no control character in it', async () => {
    for (const code of [0x00, 0x01, 0x08, 0x09, 0x0a, 0x0d, 0x1b, 0x1f, 0x7f, 0x80, 0x85, 0x9f]) {
      expectFailure(await send(`a${String.fromCodePoint(code)}b`), 422, [field]);
    }
  });

  test('may have no control character at its ends but blanks, which are trimmed', async () => {
    for (const code of [0x00, 0x07, 0x1b, 0x7f, 0x85]) {
      expectFailure(await send(`${String.fromCodePoint(code)}a`), 422, [field]);
      expectFailure(await send(`a${String.fromCodePoint(code)}`), 422, [field]);
    }
    const created = expectSuccess(await send('\r\n\t trimmed\u00a0\n'));
    expect(created[field]).toBe('trimmed');
    await forget(created);
  });

  test('is kept as it is inside: blanks, case and normal form', async () => {
    for (const text of ['a  b', 'Ab', 'aB', '\u00e9', 'e\u0301']) {
      const created = expectSuccess(await send(text));
      expect(created[field]).toBe(text);
      await forget(created);
    }
  });

  test('is unique after trimming', async () => {
    const created = expectSuccess(await send('taken'));
    expectFailure(await send('  taken '), 422, [field]);
    const otherCase = expectSuccess(await send('Taken'));
    await forget(created);
    await forget(otherCase);
  });
});

describe('braces and bars', () => {
  test.each(['{', '}', '|', 'a{b', 'a}b', 'a|b', '{{a}}'])('are refused in a secret key: %s', async (key) => {
    const created = await server.request('POST', VALUES, { body: { secret_key: key, secret_value: 'v' } });
    expectFailure(created, 422, ['secret_key']);
    expectFailure(await changeValue({ secret_key: key }), 422, ['secret_key']);
  });

  test('are ordinary in the name of a list', async () => {
    const { id } = expectSuccess(await server.request('POST', LISTS, { body: { name: '{a|b}' } }));
    expect(expectSuccess(await server.request('GET', `${LISTS}/%7Ba%7Cb%7D`)).id).toBe(id);
  });

  test('are ordinary in a value', async () => {
    const text = `\${{secret.API_KEY | base64}}`;
    expect(expectSuccess(await changeValue({ secret_value: text })).secret_value).toBe(text);
  });
});

describe('a value', () => {
  const values: [string, string][] = [
    ['1,048,576 bytes', 'x'.repeat(MAX_VALUE_BYTES)],
    ['1,048,576 bytes of characters of two bytes', 'é'.repeat(MAX_VALUE_BYTES / 2)],
    ['1,048,576 bytes of characters of four bytes', '🔑'.repeat(MAX_VALUE_BYTES / 4)],
    ['1,048,576 line breaks', '\n'.repeat(MAX_VALUE_BYTES)],
    ['0 bytes', ''],
    ['blanks alone', ' \t\r\n '],
    ['a byte order mark alone', '\ufeff'],
    ['a NUL alone', '\u0000'],
  ];

  test.each(values)('of %s is kept to the byte', async (_, text) => {
    const { id, secret_value } = expectSuccess(await changeValue({ secret_value: text }));
    expect(secret_value === text).toBe(true);
    const read = expectSuccess(await server.request('GET', `${VALUES}/${id}`));
    expect(read.secret_value === text).toBe(true);
    const secretKey = `sized-${id}`;
    const created = await server.request('POST', VALUES, { body: { secret_key: secretKey, secret_value: text } });
    expect(expectSuccess(created).secret_value === text).toBe(true);
    await forget(read);
    await forget(created.json.data);
  });

  test.each([
    ['1,048,577 bytes', 'x'.repeat(MAX_VALUE_BYTES + 1)],
    ['a character more', `${'é'.repeat(MAX_VALUE_BYTES / 2)}x`],
    ['fewer characters but 1,048,578 bytes', `${'🔑'.repeat(MAX_VALUE_BYTES / 4)}é`],
  ])('of %s is refused', async (_, text) => {
    const body = { secret_key: 'too large', secret_value: text };
    const created = await server.request('POST', VALUES, { body });
    expectFailure(created, 422, ['secret_value']);
    expect(created.text.length).toBeLessThan(500);
    expectFailure(await changeValue({ secret_value: text }), 422, ['secret_value']);
    const form = new URLSearchParams(body).toString();
    expectFailure(await server.request('POST', VALUES, { headers: FORM, body: form }), 422, ['secret_value']);
    expectFailure(await server.request('GET', `${VALUES}/too%20large`), 404);
  });

  test('of 1,048,576 NULs fits in a form, where one takes three bytes', async () => {
    const body = `secret_key=nuls&secret_value=${'%00'.repeat(MAX_VALUE_BYTES)}`;
    const created = expectSuccess(await server.request('POST', VALUES, { headers: FORM, body }));
    expect(created.secret_value === '\u0000'.repeat(MAX_VALUE_BYTES)).toBe(true);
    await forget(created);
  });

  test('is never trimmed', async () => {
    const text = '\n\t  -----BEGIN KEY-----\r\n \n';
    expect(expectSuccess(await changeValue({ secret_value: text })).secret_value).toBe(text);
  });
});
