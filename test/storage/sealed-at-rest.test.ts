// Nothing on the disk says a secret, and nothing that was changed there is taken for one.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { startTestServer, TEST_TOKEN, type TestServer } from '../support/test-server.ts';

const base = temporaryDirectory();
const VALUES = '/api/secrets/lists/list/values';

function startServer(): Promise<TestServer> {
  return startTestServer({ SECRET_MANAGER_DATA_DIR: mkdtempSync(join(base, 'data-')) });
}

describe('secrets on the disk', () => {
  const marker = () => `canary/${randomBytes(12).toString('hex')}?`;
  const [first, second, third, deleted] = [marker(), marker(), marker(), marker()] as [string, string, string, string];
  const listName = `list-${randomBytes(12).toString('hex')}`;
  const secrets: string[] = [first, second, third, deleted, TEST_TOKEN];
  let server: TestServer;
  let whileRunning: Buffer;

  beforeAll(async () => {
    server = await startServer();
    const values = `/api/secrets/lists/${listName}/values`;
    const create = (secret_key: string, secret_value: string) =>
      server.request('POST', values, { body: { secret_key, secret_value } });
    const change = (key: string, body: Record<string, string>) => server.request('POST', `${values}/${key}`, { body });
    const statuses = [
      await server.request('POST', '/api/secrets/lists', { body: { name: listName } }),
      await create('KEY', first),
      await change('KEY', { secret_value: second }),
      await change('KEY', { secret_key: 'RENAMED' }),
      await create('LONG', third.repeat(20_000)),
      await create('DELETED', deleted),
      await server.request('DELETE', `${values}/DELETED`),
      await create('KEY', `${first}${second}`),
      await server.request('GET', '/api/secrets/all-values'),
    ].map(({ status }) => status);
    expect(statuses).toEqual(statuses.map(() => 200));
    secrets.push((await server.newKey('default')).token);
    whileRunning = bytesBelow(server.config.dataDirectory);
  });
  afterAll(() => server.close());

  test('would be found by this search: the name of a list is', () => {
    expect(findAny(whileRunning, [listName])).toContain('utf8');
    const hidden = Object.values(encodingsOf(first));
    for (const bytes of hidden) {
      expect(findAny(Buffer.concat([randomBytes(9), bytes, randomBytes(9)]), [first])).not.toEqual([]);
    }
  });

  test('are in no file while the server runs, in no encoding', () => {
    expect(readdirSync(server.config.dataDirectory)).toContain('secret-manager.db-wal');
    expect(findAny(whileRunning, secrets)).toEqual([]);
  });

  test('are in no log line', () => {
    expect(server.logLines.length).toBeGreaterThan(0);
    expect(findAny(Buffer.from(server.logLines.join('')), secrets)).toEqual([]);
  });

  test('and the root key are in no file but root.key, once the server is closed', async () => {
    await server.close();
    const { dataDirectory } = server.config;
    expect(findAny(bytesBelow(dataDirectory), secrets)).toEqual([]);
    const rootKey = readFileSync(join(dataDirectory, 'root.key'), 'utf8').trim();
    const database = readFileSync(join(dataDirectory, 'secret-manager.db'));
    const raw = Buffer.from(rootKey, 'base64');
    for (const form of [raw, Buffer.from(rootKey), Buffer.from(raw.toString('hex'))]) {
      expect(database.includes(form)).toBe(false);
    }
  });
});

describe('a sealed value that was changed in the database', () => {
  let server: TestServer;
  let database: Database.Database;
  beforeEach(async () => {
    server = await startServer();
    database = new Database(join(server.config.dataDirectory, 'secret-manager.db'));
    for (const name of ['list', 'other']) await server.request('POST', '/api/secrets/lists', { body: { name } });
    for (const key of ['A', 'B', 'C']) {
      await server.request('POST', VALUES, { body: { secret_key: key, secret_value: `the secret ${key}` } });
    }
  });
  afterEach(async () => {
    database.close();
    await server.close();
  });

  const read = (key: string) => server.request('GET', `${VALUES}/${key}`);
  const sealedOf = (key: string) =>
    database.prepare('SELECT sealed_value FROM secret_values WHERE secret_key = ?').pluck().get(key) as Buffer;
  const setSealed = (key: string, sealed: Buffer) =>
    database.prepare('UPDATE secret_values SET sealed_value = ? WHERE secret_key = ?').run(sealed, key);

  /** The answer is fixed text; the log has an alarm and an error, and neither tells anything of the value. */
  async function expectBroken(path: string, valueId: number): Promise<void> {
    const linesBefore = server.logLines.length;
    const answer = await server.request('GET', path);
    expect(answer.status).toBe(500);
    expect(answer.json).toEqual({
      result: 'error',
      message: 'Something went wrong on the server; its log has more under this request id.',
      code: 500,
      data: null,
      meta: [],
    });
    const lines = server.logLines.slice(linesBefore);
    const logged = lines.map((line) => JSON.parse(line));
    const alarm = { level: 'error', valueId, msg: 'ALARM: a sealed value does not open' };
    expect(logged).toContainEqual(expect.objectContaining(alarm));
    const failure = { level: 'error', requestId: answer.headers['x-request-id'], msg: 'request failed' };
    expect(logged).toContainEqual(expect.objectContaining(failure));
    expect(lines.join('')).not.toContain('the secret');
  }

  async function expectFine(...keys: string[]): Promise<void> {
    for (const key of keys) {
      const answer = await read(key);
      expect(answer.status).toBe(200);
      expect(answer.json.data.secret_value).toBe(`the secret ${key}`);
    }
  }

  test('in any one byte answers 500, and all others are fine', async () => {
    const sealed = sealedOf('A');
    for (let index = 0; index < sealed.length; index += 1) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(changed.readUInt8(index) ^ 0x10, index);
      setSealed('A', changed);
      expect((await read('A')).status).toBe(500);
    }
    await expectBroken(`${VALUES}/A`, 1);
    await expectBroken(`${VALUES}/1`, 1);
    await expectFine('B', 'C');
    setSealed('A', sealed);
    await expectFine('A', 'B', 'C');
  });

  test('in its length answers 500', async () => {
    const sealed = sealedOf('A');
    const lengths = [Buffer.alloc(0), sealed.subarray(0, 12), sealed.subarray(0, 28), sealed.subarray(0, -1)];
    for (const changed of [...lengths, Buffer.concat([sealed, Buffer.alloc(1)])]) {
      setSealed('A', changed);
      await expectBroken(`${VALUES}/A`, 1);
    }
    await expectFine('B', 'C');
  });

  test('by swapping it with another answers 500 for both, and all others are fine', async () => {
    const [a, b] = [sealedOf('A'), sealedOf('B')];
    setSealed('A', b);
    setSealed('B', a);
    await expectBroken(`${VALUES}/A`, 1);
    await expectBroken(`${VALUES}/B`, 2);
    await expectFine('C');
  });

  test.each([
    ['its secret key', "UPDATE secret_values SET secret_key = 'X' WHERE id = 1", `${VALUES}/X`, 1],
    ['its version', 'UPDATE secret_values SET version = 2 WHERE id = 1', `${VALUES}/A`, 1],
    ['its id', 'UPDATE secret_values SET id = 9 WHERE id = 1', `${VALUES}/A`, 9],
    ['its list', 'UPDATE secret_values SET secret_list_id = 2 WHERE id = 1', '/api/secrets/lists/other/values/A', 1],
  ])('in %s answers 500, and all others are fine', async (_, sql, path, valueId) => {
    database.exec(sql);
    await expectBroken(path, valueId);
    await expectFine('B', 'C');
  });

  test('by moving it to another account answers 500 there', async () => {
    const { token } = await server.newKey('intruder');
    await server.request('POST', '/api/secrets/lists', { token, body: { name: 'theirs' } });
    database.exec('UPDATE secret_values SET account_id = 2, secret_list_id = 3 WHERE id = 1');
    const stolen = await server.request('GET', '/api/secrets/lists/theirs/values/A', { token });
    expect(stolen.status).toBe(500);
    expect(stolen.text).not.toContain('the secret');
    await expectFine('B', 'C');
  });

  test('by putting its older content back answers 500', async () => {
    const old = sealedOf('A');
    await server.request('POST', `${VALUES}/A`, { body: { secret_value: 'newer' } });
    setSealed('A', old);
    await expectBroken(`${VALUES}/A`, 1);
  });

  test('by putting its whole older row back opens, which the documentation says is not protected', async () => {
    const row = database.prepare('SELECT sealed_value, version FROM secret_values WHERE id = 1').get();
    await server.request('POST', `${VALUES}/A`, { body: { secret_value: 'newer' } });
    database
      .prepare('UPDATE secret_values SET sealed_value = @sealed_value, version = @version WHERE id = 1')
      .run(row as object);
    await expectFine('A');
  });

  test('answers 500 for a list of values as a whole, never for a part of it', async () => {
    setSealed('A', randomBytes(60));
    await expectBroken(VALUES, 1);
    await expectBroken('/api/secrets/all-values', 1);
    expect((await server.request('GET', '/api/secrets/lists')).status).toBe(200);
  });

  test('is not made good by a rename, and is by a new content', async () => {
    setSealed('A', randomBytes(60));
    expect((await server.request('POST', `${VALUES}/A`, { body: { secret_key: 'RENAMED' } })).status).toBe(500);
    expect((await read('RENAMED')).status).toBe(404);
    const body = { secret_value: 'the secret A' };
    expect((await server.request('POST', `${VALUES}/A`, { body })).status).toBe(200);
    await expectFine('A', 'B', 'C');
  });

  test('can be deleted', async () => {
    setSealed('A', randomBytes(60));
    expect((await server.request('DELETE', `${VALUES}/A`)).status).toBe(200);
    expect((await server.request('GET', VALUES)).json.data).toHaveLength(2);
  });

  test("by changing its account's data key answers 500 after a restart, in that account alone", async () => {
    const { token } = await server.newKey('neighbour');
    await server.request('POST', '/api/secrets/lists', { token, body: { name: 'theirs' } });
    const theirs = { token, body: { secret_key: 'KEY', secret_value: 'neighbourly' } };
    await server.request('POST', '/api/secrets/lists/theirs/values', theirs);
    database.exec(
      'UPDATE data_keys SET wrapped_key = (SELECT wrapped_key FROM data_keys WHERE account_id = 2) WHERE account_id = 1',
    );
    await server.close();
    server = await startTestServer({ SECRET_MANAGER_DATA_DIR: server.config.dataDirectory });
    expect((await read('A')).status).toBe(500);
    expect((await server.request('GET', '/api/secrets/all-values', { token })).status).toBe(200);
  });
});

function bytesBelow(directory: string): Buffer {
  const files = readdirSync(directory).map((name) => join(directory, name));
  // By another process: opening the files here would drop the locks of the running server.
  return execFileSync('cat', files, { maxBuffer: 100_000_000 });
}

/** The encodings in which one of the texts is found. */
function findAny(haystack: Buffer, texts: readonly string[]): string[] {
  return texts.flatMap((text) =>
    Object.entries(encodingsOf(text))
      .filter(([, bytes]) => haystack.includes(bytes))
      .map(([encoding]) => encoding),
  );
}

function encodingsOf(text: string): Record<string, Buffer> {
  const utf8 = Buffer.from(text);
  const utf16le = Buffer.from(text, 'utf16le');
  const escaped = [...text].map((character) => character.charCodeAt(0).toString(16).padStart(4, '0'));
  return {
    utf8,
    utf16le,
    utf16be: Buffer.from(utf16le).swap16(),
    reversed: Buffer.from(utf8).reverse(),
    inverted: utf8.map((byte) => byte ^ 0xff) as Buffer,
    hex: Buffer.from(utf8.toString('hex')),
    HEX: Buffer.from(utf8.toString('hex').toUpperCase()),
    percent: Buffer.from(encodeURIComponent(text)),
    json: Buffer.from(escaped.map((code) => `\\u${code}`).join('')),
    ...base64Of(utf8, 'base64'),
    ...base64Of(utf8, 'base64url'),
  };
}

/** What every base64 text has in it that encodes these bytes, wherever among others they begin. */
function base64Of(bytes: Buffer, encoding: 'base64' | 'base64url'): Record<string, Buffer> {
  return Object.fromEntries(
    [0, 1, 2].map((offset) => {
      const whole = Buffer.concat([Buffer.alloc(offset), bytes]);
      const certain = whole.toString(encoding).slice(offset === 0 ? 0 : 4, Math.floor(whole.length / 3) * 4);
      return [`${encoding} at ${offset}`, Buffer.from(certain)];
    }),
  );
}
