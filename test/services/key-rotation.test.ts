// Keys change beside a running server: it notices, nothing is sealed under an old key any more, and all is readable.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Administration, composeAdministration } from '../../src/compose.ts';
import { MAX_SEALS_PER_KEY } from '../../src/domain/limits.ts';
import { query, readAuditRows } from '../http/database-file.ts';
import { eventually } from '../support/program.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';

const VALUES = '/api/secrets/lists/list/values';
const INSTANCES = '/api/cloud-init/instances';

let server: TestServer;
let administration: Administration;
let account: number;
beforeEach(async () => {
  server = await startTestServer();
  administration = await composeAdministration(server.config);
  account = (await administration.accounts.get('default')).id;
  await server.request('POST', '/api/secrets/lists', { body: { name: 'list' } });
  for (const key of ['A', 'B', 'C']) await create(key, `the secret ${key}`);
});
afterEach(async () => {
  await administration.close();
  await server.close();
});

const create = (secret_key: string, secret_value: string) =>
  server.request('POST', VALUES, { body: { secret_key, secret_value } });
const change = (key: string, body: Record<string, string>) => server.request('POST', `${VALUES}/${key}`, { body });
const readAll = async () => (await server.request('GET', VALUES)).json.data;
const rotate = () => administration.dataKeys.rotate(account);
const versionsInUse = () =>
  query<{ version: number }>(server, 'SELECT DISTINCT data_key_version AS version FROM secret_values').map(
    ({ version }) => version,
  );
const wearOut = () => query(server, `UPDATE data_keys SET seals = ${MAX_SEALS_PER_KEY - 1}`);
const alarms = () => server.logLines.filter((line) => line.includes('ALARM'));

describe('a data key rotation', () => {
  test('leaves every value as it was, version and times included, and one key', async () => {
    await change('B', { secret_value: 'changed' });
    const before = await readAll();
    expect(await rotate()).toEqual({ version: 2, isNew: true, resealed: 3, deletedVersions: [1] });
    expect(await readAll()).toEqual(before);
    expect(versionsInUse()).toEqual([2]);
    expect(await administration.dataKeys.list(account)).toMatchObject([
      { version: 2, isCurrent: true, values: 3, seals: 3 },
    ]);
    expect(await rotate()).toEqual({ version: 3, isNew: true, resealed: 3, deletedVersions: [2] });
    expect(await readAll()).toEqual(before);
    expect(alarms()).toEqual([]);
  });

  test('and a root key rotation leave any text as it was, to the character', async () => {
    const texts = ['', '\0', '\r\n', 'é'.repeat(200_000), ...fc.sample(fc.string({ unit: 'grapheme' }), 40)];
    for (const [i, text] of texts.entries()) expect((await create(`TEXT ${i}`, text)).status).toBe(200);
    const before = await readAll();
    await rotate();
    await administration.rootKeys.rotate();
    await rotate();
    expect(await readAll()).toEqual(before);
    expect(before.slice(3).map(({ secret_value }: { secret_value: string }) => secret_value)).toEqual(texts);
  });

  test('is noticed by a server that had the old key in memory, whatever it does first', async () => {
    const first: Record<string, () => Promise<{ status: number }>> = {
      reading: () => server.request('GET', `${VALUES}/A`),
      listing: () => server.request('GET', '/api/secrets/all-values'),
      creating: () => create('NEW', 'new'),
      changing: () => change('A', { secret_value: 'newer' }),
      renaming: () => change('B', { secret_key: 'RENAMED' }),
      rendering: () =>
        server.request('POST', '/api/cloud-init/render', {
          headers: { 'content-type': 'text/cloud-config' },
          body: '#cloud-config\na: ${{secret.A}}\n',
        }),
    };
    for (const [what, work] of Object.entries(first)) {
      await rotate();
      expect((await work()).status, what).toBe(200);
      expect(versionsInUse(), what).toHaveLength(1);
    }
    expect(alarms()).toEqual([]);
    expect((await readAll()).map(({ secret_key }: { secret_key: string }) => secret_key)).toEqual([
      'A',
      'RENAMED',
      'C',
      'NEW',
    ]);
  });

  test('covers the templates of instances, fetched or not, and deleted instances do not stop it', async () => {
    const body = (instance_id: string) => ({
      instance_id,
      hostname: 'web',
      user_data: '#cloud-config\na: ${{secret.A}}\n',
    });
    const created = await server.request('POST', INSTANCES, { body: body('web-1') });
    expect(created.status, created.text).toBe(200);
    const gone = await server.request('POST', INSTANCES, { body: body('web-2') });
    expect((await server.request('DELETE', `${INSTANCES}/${gone.json.data.id}`)).status).toBe(200);
    expect(await rotate()).toMatchObject({ resealed: 4, deletedVersions: [1] });

    const shown = await server.request('GET', `${INSTANCES}/web-1`);
    expect(shown.json.data.seed_url).toBe(created.json.data.seed_url);
    const seed = new URL(`${created.json.data.seed_url}user-data`).pathname;
    expect((await server.request('GET', seed, { token: null })).text).toContain('the secret A');
    expect(await rotate()).toMatchObject({ resealed: 4 });
    expect((await server.request('GET', seed, { token: null })).text).toContain('the secret A');
    expect(alarms()).toEqual([]);
  });

  test('that was interrupted is gone on with, and no further key is made', async () => {
    wearOut();
    await create('D', 'the secret D');
    await create('E', 'the secret E');
    expect(versionsInUse().sort()).toEqual([1, 2]);
    expect(await rotate()).toEqual({ version: 2, isNew: false, resealed: 4, deletedVersions: [1] });
    expect(versionsInUse()).toEqual([2]);
    expect((await readAll()).map((value: { secret_value: string }) => value.secret_value)).toEqual(
      ['A', 'B', 'C', 'D', 'E'].map((key) => `the secret ${key}`),
    );
  });

  test('seals all again but what does not open, says so, and keeps the key of that', async () => {
    query(server, "UPDATE secret_values SET sealed_value = zeroblob(40) WHERE secret_key = 'B'");
    await expect(rotate()).rejects.toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('one record does not open'),
    });
    expect(versionsInUse().sort()).toEqual([1, 2]);
    expect((await server.request('GET', `${VALUES}/A`)).json.data.secret_value).toBe('the secret A');
    expect((await server.request('GET', `${VALUES}/B`)).status).toBe(500);
    await change('B', { secret_value: 'set anew' });
    expect(await rotate()).toMatchObject({ version: 2, isNew: false, deletedVersions: [1] });
  });

  test('is one audit event of the command line', async () => {
    await rotate();
    const events = readAuditRows(server).filter(({ action }) => action === 'data-key.rotate');
    expect(events).toMatchObject([
      { actor: 'command-line', account_id: account, target_kind: 'data-key', target_id: 2, target_parent_id: account },
    ]);
  });
});

describe('a data key that has sealed as often as it may', () => {
  test('is replaced by the server in the middle of a request, and what it sealed stays readable', async () => {
    wearOut();
    expect((await create('D', 'the last one')).status).toBe(200);
    expect(versionsInUse()).toEqual([1]);
    const answers = await Promise.all(['E', 'F', 'G', 'H'].map((key) => create(key, `the secret ${key}`)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect((await change('A', { secret_value: 'changed' })).status).toBe(200);
    const keys = await administration.dataKeys.list(account);
    expect(keys).toMatchObject([
      { version: 1, isCurrent: false, seals: MAX_SEALS_PER_KEY, values: 3 },
      { version: 2, isCurrent: true, seals: 5, values: 5 },
    ]);
    expect(await readAll()).toHaveLength(8);
    const events = readAuditRows(server).filter(({ action }) => action === 'data-key.rotate');
    expect(events).toMatchObject([{ actor: 'system', account_id: account, target_kind: 'data-key', target_id: 2 }]);
  });
});

describe('a root key rotation', () => {
  test('leaves everything readable, new accounts too, and the old key can go', async () => {
    const before = await readAll();
    const [old] = query<{ fingerprint: string }>(server, 'SELECT fingerprint FROM root_keys');
    const done = await administration.rootKeys.rotate();
    expect(done).toMatchObject({ isNew: true, rewrapped: 4, old: [old?.fingerprint] });
    expect(done.fingerprint).not.toBe(old?.fingerprint);
    const { token } = await server.newKey('made under the new root key');
    expect((await server.request('POST', '/api/secrets/lists', { token, body: { name: 'l' } })).status).toBe(200);
    const value = { secret_key: 'K', secret_value: 'v' };
    expect((await server.request('POST', '/api/secrets/lists/l/values', { token, body: value })).status).toBe(200);
    expect(await readAll()).toEqual(before);

    expect(await administration.rootKeys.rotate()).toMatchObject({
      fingerprint: done.fingerprint,
      isNew: false,
      rewrapped: 0,
    });
    await expect(administration.rootKeys.drop(done.fingerprint)).rejects.toMatchObject({ kind: 'refused' });
    await administration.rootKeys.drop(old?.fingerprint ?? '');
    await expect(administration.rootKeys.drop(old?.fingerprint ?? '')).rejects.toMatchObject({ kind: 'refused' });
    const events = readAuditRows(server).filter(({ action }) => action.startsWith('root-key'));
    expect(events.map(({ action, actor }) => [action, actor])).toEqual([
      ['root-key.rotate', 'command-line'],
      ['root-key.drop', 'command-line'],
    ]);
    expect(events[1]?.target_id?.toString(16).padStart(12, '0')).toBe(old?.fingerprint.slice(0, 12));
    await administration.close();
    administration = await composeAdministration(server.config);
    expect(await readAll()).toEqual(before);
  });

  test('of two at the same time one is done, and the other says so', async () => {
    const second = await composeAdministration(server.config);
    const outcomes = await Promise.allSettled([administration.rootKeys.rotate(), second.rootKeys.rotate()]);
    await second.close();
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused.map(({ reason }) => reason.message)).toEqual([
      expect.stringContaining('Another command is changing keys'),
    ]);
    expect(query(server, 'SELECT fingerprint FROM root_keys')).toHaveLength(2);
  });

  test('the database itself does not let go of a root key that wraps something', () => {
    expect(() => query(server, 'DELETE FROM root_keys')).toThrow('FOREIGN KEY');
  });

  test('a root key that has wrapped as often as it may wraps nothing more, and says what to do', async () => {
    query(server, `UPDATE root_keys SET wraps = ${MAX_SEALS_PER_KEY}`);
    await expect(administration.accounts.create('one more')).rejects.toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('run "secret-manager root-key rotate"'),
    });
    await administration.rootKeys.rotate();
    expect(await administration.accounts.create('one more')).toMatchObject({ name: 'one more' });
  });
});

test('a root key that is announced and cannot be read is told once in the log, and the server goes on', async () => {
  const keyFile = join(server.config.dataDirectory, 'root.key');
  const good = readFileSync(keyFile);
  writeFileSync(keyFile, 'half of a k');
  query(server, "INSERT INTO root_keys (fingerprint, created_at) VALUES ('0123456789abcdef', 'now')");
  const told = () => server.logLines.filter((line) => line.includes('root keys could not be read again'));
  await eventually(() => told().length > 0, 'the failure is told');
  expect(await readAll()).toHaveLength(3);
  expect((await create('NEW', 'new')).status).toBe(200);
  writeFileSync(keyFile, good);
  await expect(administration.rootKeys.rotate()).resolves.toMatchObject({ isNew: false, old: ['0123456789abcdef'] });
  await administration.rootKeys.drop('0123456789abcdef');
  expect(await administration.rootKeys.rotate()).toMatchObject({ isNew: true, rewrapped: 4 });
  expect(told()).toHaveLength(1);
});
