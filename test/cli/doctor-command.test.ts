// secret-manager doctor: all is well, or it says what isn't, and never more than ids.

import { chmodSync, chownSync, cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backUpStore, examineStore } from '../../src/compose-maintenance.ts';
import { readConfig } from '../../src/config.ts';
import { INSTANCES, startSeedServer } from '../http/seed-stage.ts';
import { canMountDisks, mountSmallDisk, type SmallDisk } from '../storage/sqlite/small-disk.ts';
import { databaseIn, freshDirectory, lastingContentsOf } from '../storage/sqlite/store-directories.ts';
import { commandLine } from '../support/command-line.ts';
import type { TestServer } from '../support/test-server.ts';

const FINDINGS = 9;
const CHECKS = [
  'data directory',
  'files',
  'free disk',
  'database',
  'schema',
  'pages',
  'references',
  'journal',
  'root key',
  'wrapped keys',
  'values',
  'instances',
  'API keys',
  'audit trail',
  'head',
];

let server: TestServer;
let stopped: string;
/** The database of the stopped one, before its last event. */
let older: string;
beforeAll(async () => {
  server = await startSeedServer();
  for (const key of ['FIRST_NAME', 'SECOND_NAME', 'THIRD_NAME']) {
    const body = { secret_key: key, secret_value: 'plain text' };
    await server.request('POST', '/api/secrets/lists/home/values', { body });
  }
  await server.newKey('team', 'read');
  const instance = (id: string) => ({ instance_id: id, hostname: 'host', user_data: '#cloud-config\n' });
  for (const id of ['kept', 'gone']) await server.request('POST', INSTANCES, { body: instance(id) });
  await server.request('DELETE', `${INSTANCES}/gone`);
  const other = await startSeedServer();
  stopped = other.config.dataDirectory;
  for (const key of ['FIRST_NAME', 'SECOND_NAME', 'THIRD_NAME']) {
    const body = { secret_key: key, secret_value: 'plain text' };
    await other.request('POST', '/api/secrets/lists/home/values', { body });
  }
  await other.newKey('team', 'read');
  older = join(freshDirectory(), 'older');
  await backUpStore(other.config, older, () => undefined);
  await other.request('POST', INSTANCES, { body: instance('kept') });
  await other.close();
  // 8 MB that each copy would have.
  rmSync(join(stopped, 'reserve'));
});
afterAll(() => server.close());

function copyStopped(directory: string): void {
  cpSync(stopped, directory, { recursive: true });
  closeToOthers(directory);
}

/** As the program makes them, whatever the umask of this process is. */
function closeToOthers(directory: string): void {
  chmodSync(directory, 0o700);
  for (const name of readdirSync(directory)) chmodSync(join(directory, name), 0o600);
}

function copyOfStopped(): string {
  const directory = join(freshDirectory(), 'data');
  copyStopped(directory);
  return directory;
}

/** What isn't fine: name of the check and what was found. */
async function examine(directory: string, environment: Record<string, string> = {}) {
  const config = readConfig({ SECRET_MANAGER_DATA_DIR: directory, ...environment });
  const results = await examineStore(config, () => undefined);
  expect(results.map(({ name }) => name)).toEqual(CHECKS);
  return Object.fromEntries(results.filter(({ isFine }) => !isFine).map(({ name, text }) => [name, text]));
}

function change(directory: string, sql: string): void {
  const database = new Database(databaseIn(directory));
  database.pragma('foreign_keys = OFF');
  database.exec(sql);
  database.close();
}

function emptyAnIndex(directory: string): void {
  const path = databaseIn(directory);
  const database = new Database(path);
  const select = database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'audit_events_by_account'").pluck();
  const offset = (Number(select.get()) - 1) * 4096;
  database.close();
  const bytes = readFileSync(path);
  // The header of a page that is the leaf of an index and has no cells.
  Buffer.from([0x0a, 0, 0, 0, 0, 0x10, 0, 0]).copy(bytes, offset);
  writeFileSync(path, bytes);
}

describe('a store that is well', () => {
  test('beside its server is told line by line, and the server goes on', async () => {
    closeToOthers(server.config.dataDirectory);
    const text = await commandLine(server.config.dataDirectory).text('doctor');
    const lines = text.split('\n');
    expect(lines).toHaveLength(CHECKS.length + 1);
    for (const line of lines.slice(1)) expect(line).toMatch(/^[A-Za-z ]+ {2,}ok {5}\S/);
    expect(text).toMatch(/values +ok +3 open/);
    expect(text).toMatch(/instances +ok +1 open/);
    expect(text).toMatch(/API keys +ok +2 open/);
    expect(text).toMatch(/wrapped keys +ok +5 unwrap/);
    expect(text).toMatch(/audit trail +ok +\d+ events are as they were written/);
    expect(text).toMatch(/head +ok +event \d+ and all before it are there/);
    expect((await server.request('GET', '/readyz')).status).toBe(200);
  });

  test('without a server is well too, as JSON, and stays as it is', async () => {
    const directory = copyOfStopped();
    const before = lastingContentsOf(directory);
    const { ok, checks } = await commandLine(directory).json('doctor');
    expect(ok).toBe(true);
    expect(checks.map(({ check }: { check: string }) => check)).toEqual(CHECKS);
    expect(checks[4]).toEqual({ check: 'schema', ok: true, found: expect.stringMatching(/^\d{4}-/) });
    expect(lastingContentsOf(directory)).toEqual(before);
  });

  test('in hundreds of pages of values is opened whole', async () => {
    const directory = copyOfStopped();
    change(
      directory,
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
       INSERT INTO secret_values SELECT 1000 + i, account_id, secret_list_id, 'COPY' || i, sealed_value,
         data_key_version, version, created_at, updated_at FROM secret_values, n WHERE id = 1`,
    );
    const found = await examine(directory);
    expect(Object.keys(found)).toEqual(['values']);
    expect(found['values']).toMatch(/^1200 of 1203 do not open: 1001 \(account 1, list 1\), .* and 1180 more; /);
  });
});

describe('a store that is not well is told, and ends with 9', () => {
  test('by the command', async () => {
    const directory = copyOfStopped();
    change(directory, "UPDATE secret_values SET secret_key = 'RENAMED' WHERE id = 2");
    const { exitCode, stdout, stderr } = await commandLine(directory).run('doctor');
    expect(exitCode).toBe(FINDINGS);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^values +WRONG {2}1 of 3 do not open: 2 \(account 1, list 1\); set them anew/m);
    expect(stdout).not.toMatch(/RENAMED|_NAME|plain text/);
    const json = await commandLine(directory).run('doctor', '--json');
    expect(json.exitCode).toBe(FINDINGS);
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false });
  });

  const notChecked = (name: string) => `not checked; see "${name}" first.`;
  const UNCHECKED_SEALS = {
    'wrapped keys': notChecked('root key'),
    values: notChecked('root key'),
    instances: notChecked('root key'),
    'API keys': notChecked('root key'),
    'audit trail': notChecked('root key'),
    head: notChecked('root key'),
  };
  const UNREADABLE = {
    schema: notChecked('database'),
    pages: notChecked('database'),
    references: notChecked('database'),
    journal: notChecked('database'),
    'root key': notChecked('schema'),
    ...UNCHECKED_SEALS,
  };

  test.each<[string, (directory: string) => void, Record<string, unknown>]>([
    [
      "a value in another's place",
      (directory) =>
        change(
          directory,
          'UPDATE secret_values SET sealed_value = (SELECT sealed_value FROM secret_values WHERE id = 3) WHERE id < 3',
        ),
      { values: expect.stringContaining('2 of 3 do not open: 1 (account 1, list 1), 2 (account 1, list 1);') },
    ],
    [
      'a template of another hostname',
      (directory) => change(directory, "UPDATE instances SET hostname = 'other'"),
      { instances: expect.stringMatching(/^1 of 1 do not open: 1 \(account 1\); delete/) },
    ],
    [
      'a key that may write now',
      (directory) => change(directory, "UPDATE api_keys SET rights = 'write' WHERE id = 2"),
      { 'API keys': expect.stringMatching(/^1 of 2 do not open: 2 \(account 2\); their rows were changed/) },
    ],
    [
      'a data key of another account',
      (directory) =>
        change(
          directory,
          'UPDATE data_keys SET wrapped_key = (SELECT wrapped_key FROM data_keys WHERE account_id = 2) WHERE account_id = 1',
        ),
      {
        'wrapped keys': expect.stringContaining('1 of 5 do not unwrap: account 1 version 1;'),
        values: expect.stringContaining('3 of 3 do not open'),
        instances: expect.stringContaining('1 of 1 do not open'),
        'API keys': notChecked('wrapped keys'),
      },
    ],
    [
      'rows that belong to nothing',
      (directory) => change(directory, 'DELETE FROM accounts WHERE id = 2'),
      { references: expect.stringMatching(/^\d+ rows belong to nothing;/) },
    ],
    ['an index without its rows', emptyAnIndex, { pages: expect.stringMatching(/^damaged: .*; restore a backup\.$/) }],
    [
      'an older schema',
      (directory) => change(directory, "DELETE FROM schema_migrations WHERE name > '0001-initial'"),
      { schema: expect.stringContaining('0002-instances'), 'root key': notChecked('schema'), ...UNCHECKED_SEALS },
    ],
    [
      'another journal mode',
      (directory) => change(directory, 'PRAGMA journal_mode = DELETE'),
      { journal: expect.stringContaining('delete instead of wal') },
    ],
    [
      'a root key that others may read',
      (directory) => chmodSync(join(directory, 'root.key'), 0o644),
      {
        files: 'open to other users: root.key; run "chmod 600" on them.',
        'root key': expect.stringContaining('is open to other users'),
        ...UNCHECKED_SEALS,
      },
    ],
    [
      'a missing root key',
      (directory) => rmSync(join(directory, 'root.key')),
      { 'root key': expect.stringContaining('there is none; put it back'), ...UNCHECKED_SEALS },
    ],
    [
      'a root key that has no lasting name yet',
      (directory) => renameSync(join(directory, 'root.key'), join(directory, 'root.key.pending')),
      { 'root key': expect.stringContaining('there is none; put it back'), ...UNCHECKED_SEALS },
    ],
    [
      'a directory that others may look into',
      (directory) => chmodSync(directory, 0o755),
      { files: expect.stringContaining('run "chmod 700 ') },
    ],
    [
      'a head and a reserve that others may read',
      (directory) => {
        writeFileSync(join(directory, 'reserve'), '');
        for (const name of ['head', 'reserve']) chmodSync(join(directory, name), 0o644);
      },
      { files: 'open to other users: head, reserve; run "chmod 600" on them.' },
    ],
    [
      'an audit event that was changed',
      (directory) =>
        change(
          directory,
          "DROP TRIGGER audit_events_are_append_only; UPDATE audit_events SET address = '203.0.113.9' WHERE id = 4",
        ),
      { 'audit trail': expect.stringMatching(/^Event 4 was changed, .* See "secret-manager audit verify"\.$/) },
    ],
    [
      'an older database beside a newer head',
      (directory) => {
        cpSync(older, databaseIn(directory));
        change(directory, 'PRAGMA journal_mode = WAL');
      },
      {
        head: expect.stringMatching(
          /^The database ends with audit event \d+, but the file head knows event \d+: .*--acc/,
        ),
      },
    ],
    [
      'no head',
      (directory) => rmSync(join(directory, 'head')),
      { head: expect.stringContaining('The file head in the data directory is missing or damaged') },
    ],
    [
      'a head that was changed',
      (directory) => {
        const path = join(directory, 'head');
        writeFileSync(path, readFileSync(path, 'latin1').replaceAll('a', 'b'));
      },
      { head: expect.stringContaining('The file head in the data directory is missing or damaged') },
    ],
    [
      'an audit trail without its key',
      (directory) => change(directory, "DELETE FROM system_keys WHERE purpose = 'audit-chain'"),
      {
        'audit trail': expect.stringContaining('The audit trail has no chain yet'),
        head: expect.stringContaining('The audit trail has no chain yet'),
      },
    ],
    [
      'no database',
      (directory) => rmSync(databaseIn(directory)),
      { database: expect.stringContaining('There is no database at'), ...UNREADABLE },
    ],
    [
      'a text for a database',
      (directory) => writeFileSync(databaseIn(directory), 'text'.repeat(2_000)),
      { database: expect.stringContaining('is not a SQLite database'), ...UNREADABLE },
    ],
  ])('%s', async (_, spoil, expected) => {
    const directory = copyOfStopped();
    spoil(directory);
    const before = lastingContentsOf(directory);
    expect(await examine(directory)).toEqual(expected);
    expect(lastingContentsOf(directory)).toEqual(before);
  });

  test('another root key in the configuration', async () => {
    const environment = { SECRET_MANAGER_ROOT_KEY: Buffer.alloc(32, 5).toString('base64') };
    expect(await examine(copyOfStopped(), environment)).toEqual({
      'root key': expect.stringContaining('but the data was sealed under'),
      ...UNCHECKED_SEALS,
    });
  });

  test.runIf(process.getuid?.() === 0)('a file that belongs to another user', async () => {
    const directory = copyOfStopped();
    chownSync(join(directory, 'root.key'), 1234, 1234);
    expect(await examine(directory)).toEqual({ files: 'not owned by user 0: root.key; run "chown 0" on them.' });
  });

  test.runIf(canMountDisks())('a disk with little room', async () => {
    const disk = mountSmallDisk(4_000) as SmallDisk;
    copyStopped(disk.directory);
    const size = readFileSync(databaseIn(disk.directory)).length;
    disk.fill(300_000);
    expect(await examine(disk.directory)).toEqual({ 'free disk': expect.stringContaining('less than a tenth') });
    disk.empty();
    disk.unmount();
    expect(size).toBeLessThan(300_000);
  });

  test('a directory that is not there, and none is made', async () => {
    const directory = join(freshDirectory(), 'none');
    const found = await examine(directory);
    expect(found['data directory']).toContain('cannot be read (ENOENT)');
    expect((await examine(directory))['database']).toContain('There is no database at');
  });
});
