// secret-manager key create | list | revoke, beside a running server.

import { beforeAll, expect, test } from 'vitest';
import { composeAdministration } from '../../src/compose.ts';
import { readConfig } from '../../src/config.ts';
import { type CommandLine, commandLine, EXIT_CODES } from '../support/command-line.ts';
import { QUICK_START } from '../support/program.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';

const LISTS = '/api/secrets/lists';
const TOKEN = /^smk_[0-9A-Za-z]{49}$/;

let server: ServerProcess;
let cli: CommandLine;
beforeAll(async () => {
  server = await startServerProcess(QUICK_START);
  cli = commandLine(server.dataDirectory);
});

async function statuses(token: string): Promise<{ read: number; write: number }> {
  const headers = { authorization: `Bearer ${token}` };
  const read = await fetch(server.url + LISTS, { headers });
  const write = await fetch(server.url + LISTS, { method: 'POST', headers });
  return { read: read.status, write: write.status };
}

test('a key is created, works at once, and is refused from the next request after it is revoked', async () => {
  const text = await cli.text('key', 'create', '--name', 'robot');
  const [, id = ''] = /^Created key (\d+) of account "default" with the right to write\./.exec(text) ?? [];
  const token = text.split('\n')[1] ?? '';
  expect(token).toMatch(TOKEN);
  expect(await statuses(token)).toEqual({ read: 200, write: 200 });

  expect(await cli.text('key', 'revoke', id)).toBe(`Revoked key ${id}, "robot".`);
  expect(await statuses(token)).toEqual({ read: 401, write: 401 });
  const again = await cli.json('key', 'revoke', id);
  expect(again).toMatchObject({ id: Number(id), revoked_at: expect.stringMatching(/Z$/) });
  expect(server.stdout() + server.stderr()).not.toContain(token);
});

test('a key with the right to read is forbidden to write', async () => {
  const created = await cli.json('key', 'create', '--rights', 'read', '--expires-in', '90m');
  expect(created).toMatchObject({ name: 'unnamed', rights: 'read', revoked_at: null });
  expect(Date.parse(created.expires_at) - Date.parse(created.created_at)).toBeGreaterThan(89 * 60_000);
  expect(Date.parse(created.expires_at) - Date.parse(created.created_at)).toBeLessThanOrEqual(90 * 60_000);
  expect(await statuses(created.token)).toEqual({ read: 200, write: 403 });
});

test('a key that has expired is refused', async () => {
  const config = readConfig({ SECRET_MANAGER_DATA_DIR: server.dataDirectory });
  const administration = await composeAdministration(config);
  const create = (expiresAt: Date) =>
    administration.apiKeys.create({ accountId: 1, name: 'short', rights: 'write', expiresAt });
  const past = await create(new Date(Date.now() - 1));
  const soon = await create(new Date(Date.now() + 60_000));
  await administration.close();
  expect(await statuses(past.token)).toEqual({ read: 401, write: 401 });
  expect(await statuses(soon.token)).toEqual({ read: 200, write: 200 });
});

test('keys are listed with their start alone, their names escaped', async () => {
  const { id, token } = await cli.json('key', 'create', '--name', 'night\u202erobot', '--expires-in', '30d');
  const [table, json] = await Promise.all([cli.text('key', 'list'), cli.json('key', 'list')]);
  expect(table).toMatch(
    /^ID +NAME +STARTS WITH +RIGHTS +CREATED +EXPIRES +REVOKED\n1 +first +- +write +\S+Z +never +-\n/,
  );
  expect(table).toContain(`night\\u{202e}robot  ${token.slice(0, 10)}`);
  const listed = json.find((key: { id: number }) => key.id === id);
  expect(listed).toMatchObject({ account_id: 1, name: 'night\u202erobot', hint: token.slice(0, 10), rights: 'write' });
  for (const output of [table, JSON.stringify(json)]) expect(output).not.toContain(token.slice(0, 15));
});

test('what is not there is refused with one sentence', async () => {
  const [unknownKey] = await Promise.all([
    cli.failure(EXIT_CODES.refused, 'key', 'revoke', '999'),
    cli.failure(EXIT_CODES.storage, 'migrate'),
  ]);
  expect(unknownKey).toBe('There is no API key 999; "key list" shows those there are.');
  expect((await server.fetch(LISTS)).status).toBe(200);
});

test('the command line lets in again whoever revoked the last key', async () => {
  const { token: last } = await cli.json('key', 'create', '--name', 'last');
  const administration = await composeAdministration(readConfig({ SECRET_MANAGER_DATA_DIR: server.dataDirectory }));
  for (const { id } of await administration.apiKeys.list(1)) await administration.apiKeys.revoke(id);
  await administration.close();
  expect((await statuses(last)).read).toBe(401);
  const { token } = await cli.json('key', 'create');
  expect(await statuses(token)).toEqual({ read: 200, write: 200 });
});
