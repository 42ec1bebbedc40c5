// secret-manager account create | list | delete, beside a running server.

import { beforeAll, describe, expect, test } from 'vitest';
import { type CommandLine, commandLine, EXIT_CODES } from '../support/command-line.ts';
import { QUICK_START } from '../support/program.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';

const LISTS = '/api/secrets/lists';

let server: ServerProcess;
let cli: CommandLine;
beforeAll(async () => {
  server = await startServerProcess(QUICK_START);
  cli = commandLine(server.dataDirectory);
});

function statusWith(token: string, init: RequestInit = {}): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  return fetch(server.url + LISTS, { ...init, headers }).then(({ status }) => status);
}

test('an account is created, listed, used and deleted, and its keys die with it at once', async () => {
  expect(await cli.text('account', 'create', 'team')).toMatch(/^Created account \d+, "team"\.$/);
  const { token } = await cli.json('key', 'create', '--account', 'team');
  expect(await statusWith(token, { method: 'POST' })).toBe(200);
  expect((await (await server.fetch(LISTS)).json()) as object).toMatchObject({ data: [] });

  const deleted = await cli.json('account', 'delete', 'team', '--yes');
  expect(deleted).toMatchObject({ name: 'team' });
  expect(await statusWith(token)).toBe(401);
  expect(await statusWith(server.token)).toBe(200);
  const { name, id } = await cli.json('account', 'create', 'team');
  expect(name).toBe('team');
  expect(id).toBeGreaterThan(deleted.id);
  expect(await statusWith(token)).toBe(401);
});

test('what may not be done is refused with one sentence, and nothing is deleted unasked', async () => {
  const refused = await Promise.all([
    cli.failure(EXIT_CODES.refused, 'account', 'delete', 'default'),
    cli.failure(EXIT_CODES.refused, 'account', 'delete', 'nobody', '--yes'),
    cli.failure(EXIT_CODES.refused, 'account', 'create', 'default'),
    cli.failure(EXIT_CODES.refused, 'account', 'create', '2024'),
  ]);
  expect(new Set(refused).size).toBe(4);
  expect(refused[0]).toContain('--yes');
  expect(await statusWith(server.token)).toBe(200);
});

describe('a name with direction characters', () => {
  const NAME = 'team\u202emaet';
  beforeAll(async () => {
    expect(await cli.text('account', 'create', NAME)).toContain('"team\\u{202e}maet"');
  });

  test('is escaped where a person reads it, and exact in JSON', async () => {
    const [table, json] = await Promise.all([cli.text('account', 'list'), cli.json('account', 'list')]);
    expect(table).toMatch(/^ID +NAME +CREATED\n1 +default +\d{4}-/);
    expect(table).toContain('team\\u{202e}maet');
    expect(table).not.toMatch(/\p{Cf}/u);
    expect(json.map((account: { name: string }) => account.name)).toContain(NAME);
    expect(Object.keys(json[0])).toEqual(['id', 'name', 'created_at']);
  });

  test('is escaped in the sentence of a failure too', async () => {
    const sentences = await Promise.all([
      cli.failure(EXIT_CODES.refused, 'account', 'create', NAME),
      cli.failure(EXIT_CODES.refused, 'account', 'delete', `nobody\u001b[31m\u202e`, '--yes'),
    ]);
    for (const sentence of sentences) expect(sentence).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });
});
