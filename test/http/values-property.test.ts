// Any well-formed text survives as a secret value to the byte, and as a key or a name after their rules.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { wellFormedText } from '../domain/unicode-text.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { expectSuccess } from './api-answers.ts';

const LISTS = '/api/secrets/lists';
const VALUES = `${LISTS}/home/values`;
let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
  await server.request('POST', LISTS, { body: { name: 'home' } });
});
afterAll(() => server.close());

/** What encoders, trimmers, normalisers and template engines like to change. */
const HOSTILE = [
  ...['\u0000', '\r\n', '\n', '\t', '\u001b', '\u007f', '\u0085', '\u00a0', '\u2028', '\u2029', '\ufeff', '\uffff'],
  ...['é', 'e\u0301', 'ﬁ', 'İ', 'ß', '\u202e', '🔑', '👩‍👩‍👧', '\u{10ffff}', '+', '%', '%20', '%zz', '&', '=', ';'],
  ...['"', "'", '\\', '\\u0041', '\\n', '<', '{{7*7}}', `\${{secret.X}}`, '$$', '$&', '__proto__', '#', ': ', '- '],
];

const text = fc
  .array(fc.oneof(fc.constantFrom(...HOSTILE), wellFormedText(8), fc.string({ unit: 'grapheme', maxLength: 8 })), {
    maxLength: 12,
  })
  .map((parts) => parts.join(''));

/** After the rules of the contract: no control characters, trimmed, 1 to 255 code points, not digits alone. */
const name = text
  .map((raw) => [...raw.replace(/\p{Cc}/gu, '').trim()].slice(0, 255).join('').trim())
  .filter((label) => label !== '' && !/^[0-9]+$/.test(label) && !/^\.{1,2}$/.test(label));

const secretKey = name.map((label) => label.replaceAll(/[{}|]/g, '_'));

type Send = (method: string, url: string, fields: Record<string, string>) => ReturnType<TestServer['request']>;
const ENCODINGS: [string, Send][] = [
  ['JSON', (method, url, body) => server.request(method, url, { body })],
  ['a form', (method, url, fields) => server.form(method, url, fields)],
];

function bytes(of: string): string {
  return Buffer.from(of).toString('hex');
}

describe.each(ENCODINGS)('through %s', (_, send) => {
  test('any text survives as a value: created, read alone, in its list and among all, and updated', async () => {
    await fc.assert(
      fc.asyncProperty(text, text, async (first, second) => {
        const fields = { secret_key: 'K', secret_value: first };
        const { id, secret_value: created } = expectSuccess(await send('POST', VALUES, fields));
        const read = async () => [
          expectSuccess(await server.request('GET', `${VALUES}/K`)).secret_value,
          expectSuccess(await server.request('GET', `${VALUES}/${id}`)).secret_value,
          expectSuccess(await server.request('GET', VALUES))[0].secret_value,
          expectSuccess(await server.request('GET', '/api/secrets/all-values'))[0].secret_value,
        ];
        const kept = [created, ...(await read())];
        const updated = expectSuccess(await send('POST', `${VALUES}/K`, { secret_value: second })).secret_value;
        const changed = [updated, ...(await read())];
        expectSuccess(await server.request('DELETE', `${VALUES}/K`));
        expect(kept.map(bytes)).toEqual(Array(5).fill(bytes(first)));
        expect(changed.map(bytes)).toEqual(Array(5).fill(bytes(second)));
      }),
      { numRuns: 40 },
    );
  });

  test('any text survives as a secret key and as a list name after the rules, and finds its thing again', async () => {
    await fc.assert(
      fc.asyncProperty(name, secretKey, async (listName, key) => {
        const list = expectSuccess(await send('POST', LISTS, { name: ` ${listName}\n` }));
        expect(list.name).toBe(listName);
        const path = `${LISTS}/${encodeURIComponent(listName)}`;
        expect(expectSuccess(await server.request('GET', path))).toEqual(list);
        const fields = { secret_key: `\t${key} `, secret_value: key };
        const value = expectSuccess(await send('POST', `${path}/values`, fields));
        expect(value).toMatchObject({ secret_key: key, secret_value: key, secret_list_id: list.id });
        const found = await server.request('GET', `${path}/values/${encodeURIComponent(key)}`);
        expect(expectSuccess(found)).toEqual(value);
        expectSuccess(await server.request('DELETE', path));
      }),
      { numRuns: 40 },
    );
  });
});
