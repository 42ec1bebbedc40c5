// secret-manager audit: read, verified, exported and pruned, beside a running server.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { query } from '../http/database-file.ts';
import { type CommandLine, commandLine, EXIT_CODES } from '../support/command-line.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';

let server: TestServer;
let command: CommandLine;
beforeAll(async () => {
  server = await startTestServer();
  command = commandLine(server.config.dataDirectory);
  await server.request('POST', '/api/secrets/lists', { body: { name: 'home' } });
  const body = { secret_key: 'K', secret_value: 'canary' };
  await server.request('POST', '/api/secrets/lists/home/values', { body });
  await server.request('GET', '/api/secrets/lists/home/values/K');
  await server.newKey('other');
});
afterAll(() => server.close());

describe.concurrent('audit list', () => {
  test('prints one event a line, newest first, of all accounts or of one', async () => {
    const lines = (await command.text('audit', 'list')).split('\n');
    expect(lines[0]).toMatch(/^ID +TIME +ACCOUNT +WHO +ACTION +TARGET +OUTCOME +ADDRESS$/);
    expect(lines).toHaveLength(8);
    expect(lines[3]).toMatch(/^5 +\S+Z +1 +key 1 +value\.read +value 1 +success +127\.0\.0\.1$/);
    const records = await command.lines('audit', 'list', '--account', 'other');
    expect(records.map(({ action }) => action)).toEqual(['key.create']);
  });

  test('takes the filters of the API', async () => {
    const found = await command.lines('audit', 'list', '--target-kind', 'value', '--target-id', '1', '--limit', '1');
    expect(found).toMatchObject([{ id: 5, action: 'value.read', key_id: 1, occurrences: 1 }]);
    expect(
      await command.lines('audit', 'list', '--action', 'list.create', '--to', '2999-01-01T00:00:00Z'),
    ).toHaveLength(1);
    for (const kind of ['root-key', 'data-key']) {
      expect(await command.text('audit', 'list', '--target-kind', kind)).toMatch(/^ID.*ADDRESS$/);
    }
    expect(await command.text('audit', 'list', '--from', '2999-01-01T00:00:00Z')).toMatch(/^ID/);
  });

  test('says what is wrong with a filter, and with an account that is not there', async () => {
    expect(await command.failure(EXIT_CODES.usage, 'audit', 'list', '--key-id', 'x')).toMatch(/^--key-id: /);
    expect(await command.failure(EXIT_CODES.refused, 'audit', 'list', '--account', 'none')).toContain('"none"');
  });
});

describe('audit export and verify', () => {
  test('verify prints how far the trail goes', async () => {
    const { events, last_id: lastId, last_hash: lastHash } = await command.json('audit', 'verify');
    expect([events, lastId]).toEqual([7, 7]);
    expect(await command.text('audit', 'verify')).toBe(
      `7 audit events are as they were written; the last one is 7, its hash ${lastHash}.`,
    );
  });

  test('an export can be verified, whole and in part, and is not accepted once it was changed', async () => {
    const file = join(temporaryDirectory(), 'trail.jsonl');
    const whole = await command.text('audit', 'export');
    expect(whole.split('\n')).toHaveLength(7);
    expect(whole).not.toContain('canary');
    writeFileSync(file, `${whole}\n`);
    expect(await command.text('audit', 'verify', '--file', file)).toContain('7 audit events are as they were written');

    const from = JSON.parse(whole.split('\n')[3] ?? '').occurred_at;
    const part = await command.text('audit', 'export', '--from', from);
    writeFileSync(file, `${part}\n`);
    expect(await command.text('audit', 'verify', '--file', file)).toMatch(/^[45] audit events/);

    writeFileSync(file, `${whole.replace('"key_id":1', '"key_id":2')}\n`);
    expect(await command.failure(EXIT_CODES.trail, 'audit', 'verify', '--file', file)).toMatch(/^Event 3 was changed/);
    writeFileSync(file, `${whole.split('\n').toSpliced(4, 1).join('\n')}\n`);
    expect(await command.failure(EXIT_CODES.trail, 'audit', 'verify', '--file', file)).toBe('Event 5 is missing.');
    writeFileSync(file, 'nothing\n');
    expect(await command.failure(EXIT_CODES.refused, 'audit', 'verify', '--file', file)).toContain('line 1 is no JSON');
  });

  test.each([
    ['{}\n', 'line 1 is no audit event'],
    ['null\n', 'line 1 is no audit event'],
    ['{"id":1,"occurred_at":"2026","hash":1,"commit_mac":null}\n', 'line 1 is no audit event'],
    ['', 'it is empty'],
  ])('a file with %j is no export', async (text, problem) => {
    const file = join(temporaryDirectory(), 'trail.jsonl');
    writeFileSync(file, text);
    expect(await command.failure(EXIT_CODES.refused, 'audit', 'verify', '--file', file)).toBe(
      `${file} cannot be read (${problem}); give what "audit export" wrote.`,
    );
  });
});

describe('audit prune', () => {
  /** Of many events in commits of one and of several, made old. */
  async function agedServer(): Promise<TestServer> {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 500 * 86_400_000 });
    try {
      const aged = await startTestServer();
      await aged.request('POST', '/api/secrets/lists', { body: { name: 'old' } });
      await Promise.all(Array.from({ length: 5 }, () => aged.request('POST', '/api/secrets/lists')));
      vi.setSystemTime(Date.now() + 450 * 86_400_000);
      await aged.request('POST', '/api/secrets/lists');
      return aged;
    } finally {
      vi.useRealTimers();
    }
  }
  const idsIn = (of: TestServer) =>
    query<{ id: number }>(of, 'SELECT id FROM audit_events ORDER BY id').map(({ id }) => id);

  test('deletes what is older, records it, and what stays is still verified', async () => {
    const aged = await agedServer();
    const agedCommand = commandLine(aged.config.dataDirectory);
    expect(idsIn(aged)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(await agedCommand.text('audit', 'prune', '--older-than', '400d')).toBe('Deleted 8 audit events.');
    expect(idsIn(aged)).toEqual([9, 10]);
    expect(await agedCommand.lines('audit', 'list', '--limit', '1')).toMatchObject([
      { id: 10, action: 'audit.prune', actor: 'command-line', target_kind: 'event', target_id: 8 },
    ]);
    expect(await agedCommand.text('audit', 'verify')).toContain('2 audit events are as they were written');
    expect(await agedCommand.json('audit', 'prune', '--older-than', '400d')).toEqual({ pruned: 0 });

    await aged.request('POST', '/api/secrets/lists');
    expect(await agedCommand.json('audit', 'prune', '--older-than', '1d')).toEqual({ pruned: 1 });
    expect(await agedCommand.text('audit', 'verify')).toContain('3 audit events are as they were written');
    await aged.close();
  });

  test('refuses to delete what is not as it was written, and anything but pruning may delete nothing', async () => {
    const aged = await agedServer();
    expect(() => query(aged, 'DELETE FROM audit_events WHERE id = 3')).toThrow('by pruning alone');
    await aged.close();
    const database = new Database(join(aged.config.dataDirectory, 'secret-manager.db'));
    database.exec("DROP TRIGGER audit_events_are_append_only; UPDATE audit_events SET actor = 'system' WHERE id = 4");
    database.close();
    const agedCommand = commandLine(aged.config.dataDirectory);
    expect(await agedCommand.failure(EXIT_CODES.refused, 'audit', 'prune', '--older-than', '400d')).toContain(
      'are not as they were written, and stay',
    );
    expect(await agedCommand.failure(EXIT_CODES.usage, 'audit', 'prune', '--older-than', '400')).toContain('400d');
  });

  test('is done by a server with SECRET_MANAGER_AUDIT_RETENTION_DAYS by itself', async () => {
    const aged = await agedServer();
    await aged.close();
    const directory = aged.config.dataDirectory;
    const again = await startTestServer({
      SECRET_MANAGER_DATA_DIR: directory,
      SECRET_MANAGER_AUDIT_RETENTION_DAYS: '400',
    });
    await vi.waitFor(() => expect(idsIn(again)).toEqual([9, 10]));
    await again.close();
    expect(readFileSync(join(directory, 'head'), 'latin1')).toContain('secret-manager head 1 10 ');
  });
});
