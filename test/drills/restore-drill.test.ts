// The drill: a server is backed up while it is written to, lost, and comes back elsewhere from the backup and the root key.

import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type CommandLine, commandLine } from '../support/command-line.ts';
import { QUICK_START } from '../support/program.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const LISTS = '/api/secrets/lists';
const VALUES = `${LISTS}/drill/values`;

/** By key, in the order in which they were acknowledged. */
const written = new Map<string, string>();
let before = 0;
let after = 0;
let deletedId = 0;
let reader: { id: number; token: string };
let revoked: { id: number; token: string };
let backup: { values: number };
let server: ServerProcess;

async function data(path: string, init: RequestInit = {}) {
  const response = await server.fetch(path, init);
  expect(response.status).toBe(200);
  return ((await response.json()) as { data: never }).data as {
    id: number;
    secret_key: string;
    secret_value: string;
  }[] & { id: number };
}

function post(path: string, fields: Record<string, string>) {
  return data(path, { method: 'POST', body: new URLSearchParams(fields) });
}

async function write(i: number): Promise<void> {
  const value = `${randomBytes(12).toString('latin1')}\u0000\r\n\u2028🔑 ${'x'.repeat(i * 7)}`;
  await post(VALUES, { secret_key: `KEY_${i}`, secret_value: value });
  written.set(`KEY_${i}`, value);
}

async function writeUntil(done: Promise<unknown>): Promise<void> {
  let isDone = false;
  void done.finally(() => {
    isDone = true;
  });
  for (let i = written.size; !isDone; i += 1) await write(i);
}

beforeAll(async () => {
  server = await startServerProcess(QUICK_START);
  const home = server.dataDirectory;
  let cli: CommandLine = commandLine(home);
  await post(LISTS, { name: 'drill' });
  for (let i = 0; i < 20; i += 1) await write(i);
  deletedId = (await post(VALUES, { secret_key: 'DELETED', secret_value: '' })).id;
  await server.fetch(`${VALUES}/DELETED`, { method: 'DELETE' });
  [reader, revoked] = await Promise.all([cli.json('key', 'create', '--rights', 'read'), cli.json('key', 'create')]);
  await cli.text('key', 'revoke', String(revoked.id));

  const file = join(temporaryDirectory(), 'drill.backup');
  before = written.size;
  const backingUp = cli.json('backup', file);
  await writeUntil(backingUp);
  backup = await backingUp;
  after = written.size;
  await server.stop();

  const elsewhere = join(temporaryDirectory(), 'elsewhere');
  mkdirSync(elsewhere, { mode: 0o700 });
  cpSync(join(home, 'root.key'), join(elsewhere, 'root.key'));
  rmSync(home, { recursive: true });
  cli = commandLine(elsewhere);
  await cli.text('restore', file);
  server = await startServerProcess({ ...QUICK_START, SECRET_MANAGER_DATA_DIR: elsewhere });
}, 60_000);

describe('after the drill', () => {
  test('every value that was there at the moment of the backup is there, to the byte, and none that was not', async () => {
    const values = await data('/api/secrets/all-values');
    expect(values.map(({ secret_key }) => secret_key)).toEqual([...written.keys()].slice(0, values.length));
    for (const { secret_key, secret_value } of values) expect(secret_value).toBe(written.get(secret_key));
    expect(values).toHaveLength(backup.values);
    expect(after).toBeGreaterThan(before);
    expect(values.length).toBeGreaterThanOrEqual(before);
    expect(values.length).toBeLessThanOrEqual(after);
  });

  test('API keys open what they opened before, and a revoked one nothing', async () => {
    const statusOf = async (token: string, method: string) =>
      (await fetch(server.url + LISTS, { method, headers: { authorization: `Bearer ${token}` } })).status;
    expect(await statusOf(reader.token, 'GET')).toBe(200);
    expect(await statusOf(reader.token, 'POST')).toBe(403);
    expect(await statusOf(revoked.token, 'GET')).toBe(401);
    expect(await statusOf(server.token, 'POST')).toBe(200);
  });

  test('the id of what was deleted before is not given again', async () => {
    const { id } = await post(VALUES, { secret_key: 'AFTERWARDS', secret_value: '' });
    expect(id).toBeGreaterThan(deletedId);
    expect(id).toBeGreaterThan(backup.values + 1);
    const list = await post(LISTS, { name: 'afterwards' });
    expect(list.id).toBeGreaterThan(1);
  });

  test('doctor finds nothing wrong', async () => {
    expect(await commandLine(server.dataDirectory).json('doctor')).toMatchObject({ ok: true });
  });
});
