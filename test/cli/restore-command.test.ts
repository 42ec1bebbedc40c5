// secret-manager restore: what it takes, what it refuses and leaves as it is, and what becomes of the old database.

import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { beforeAll, describe, expect, test } from 'vitest';
import { composeAdministration, composeServer } from '../../src/compose.ts';
import { backUpStore, examineStore, restoreStore } from '../../src/compose-maintenance.ts';
import { type Config, readConfig } from '../../src/config.ts';
import { MAX_SEALS_PER_KEY } from '../../src/domain/limits.ts';
import { createLogger } from '../../src/logger.ts';
import { acquireKeysLock } from '../../src/storage/sqlite/server-lock.ts';
import { createDatabaseFile } from '../../src/storage/sqlite/sqlite-connection.ts';
import { applyMigrations, availableMigrations } from '../../src/storage/sqlite/sqlite-migrations.ts';
import { query } from '../http/database-file.ts';
import { canMountDisks, mountSmallDisk, type SmallDisk } from '../storage/sqlite/small-disk.ts';
import { contentsOf, databaseIn, freshDirectory } from '../storage/sqlite/store-directories.ts';
import { type CommandLine, commandLine, EXIT_CODES } from '../support/command-line.ts';
import { eventually, PROGRAM, QUICK_START, startProgram } from '../support/program.ts';
import { startServerProcess } from '../support/server-process.ts';
import { startTestServer, TEST_TOKEN } from '../support/test-server.ts';

const logger = createLogger('silent', { write: () => undefined });

/** A backup with the list `kept`, and the root key that opens it. */
let backup: string;
let rootKey: string;
/** A data directory of the same root key with the lists `kept` and `later`, the last of them in the log alone. */
let killed: string;
let otherStore: string;
beforeAll(async () => {
  const server = await startServerProcess(QUICK_START);
  killed = server.dataDirectory;
  const create = (name: string) =>
    server.fetch('/api/secrets/lists', { method: 'POST', body: new URLSearchParams({ name }) });
  await create('kept');
  backup = join(freshDirectory(), 'backup');
  await backUpStore(configOf(killed), backup, () => undefined);
  await create('later');
  await server.stop('SIGKILL');
  // The empty file of a lock is all that a refused restore leaves.
  acquireKeysLock(killed).release();
  const other = await startTestServer();
  otherStore = other.config.dataDirectory;
  await other.close();
  rootKey = readFileSync(join(killed, 'root.key'), 'utf8').trim();
});

function configOf(directory: string, environment: Record<string, string> = {}): Config {
  return readConfig({ SECRET_MANAGER_DATA_DIR: directory, ...environment });
}

function restore(directory: string, environment: Record<string, string> = {}, file = backup, isReplacing = false) {
  return restoreStore(configOf(directory, environment), file, { isReplacing, tell: () => undefined });
}

function newDirectory(): string {
  return join(freshDirectory(), 'data');
}

function copyOfKilled(): string {
  const directory = newDirectory();
  cpSync(killed, directory, { recursive: true });
  chmodSync(directory, 0o700);
  return directory;
}

/** What doctor finds there that isn't fine. */
async function wrongIn(directory: string, environment: Record<string, string> = {}) {
  // As the program makes them, whatever the umask of this process is.
  for (const name of readdirSync(directory)) chmodSync(join(directory, name), 0o600);
  const results = await examineStore(configOf(directory, environment), () => undefined);
  return results.filter(({ isFine }) => !isFine);
}

async function listsIn(directory: string, environment: Record<string, string> = {}): Promise<string[]> {
  const server = await composeServer(configOf(directory, environment), logger, () => undefined);
  const headers = { authorization: `Bearer ${TEST_TOKEN}` };
  const answer = await server.app.inject({ method: 'GET', url: '/api/secrets/lists', headers });
  await server.close();
  return answer.json().data.map(({ name }: { name: string }) => name);
}

describe('a backup is restored', () => {
  test('into a directory that does not exist, with the root key from the configuration', async () => {
    const directory = newDirectory();
    const environment = { SECRET_MANAGER_ROOT_KEY: rootKey };
    const cli = commandLine(directory, environment);
    expect(await cli.json('restore', backup)).toEqual({
      file: backup,
      data_directory: directory,
      accounts: 1,
      lists: 1,
      values: 0,
      root_keys: [expect.stringMatching(/^[0-9a-f]{16}$/)],
      moved_aside: [],
    });
    expect(readdirSync(directory).sort()).toEqual(['head', 'keys.lock', 'secret-manager.db', 'server.lock']);
    expect(statSync(databaseIn(directory)).mode & 0o777).toBe(0o600);
    expect(await listsIn(directory, environment)).toEqual(['kept']);
  });

  test('into a directory that has the root key alone', async () => {
    const directory = freshDirectory();
    writeFileSync(join(directory, 'root.key'), rootKey, { mode: 0o600 });
    await restore(directory);
    expect(await listsIn(directory)).toEqual(['kept']);
  });

  test('of an older version, and brings it up to date', async () => {
    const older = olderVersionOf(backup);
    const directory = newDirectory();
    const environment = { SECRET_MANAGER_ROOT_KEY: rootKey };
    await restore(directory, environment, older);
    expect(await wrongIn(directory, environment)).toEqual([]);
    expect(await listsIn(directory, environment)).toEqual(['kept']);
  });

  test('out of a copied database with its log', async () => {
    const directory = newDirectory();
    const environment = { SECRET_MANAGER_ROOT_KEY: rootKey };
    await restore(directory, environment, databaseIn(copyOfKilled()));
    expect(await listsIn(directory, environment)).toEqual(['kept', 'later']);
  });

  test('of a store in the middle of rotations, with both root keys; then they can be ended', async () => {
    const store = await startTestServer();
    const create = (secret_key: string) =>
      store.request('POST', '/api/secrets/lists/list/values', { body: { secret_key, secret_value: secret_key } });
    await store.request('POST', '/api/secrets/lists', { body: { name: 'list' } });
    await create('A');
    query(store, `UPDATE data_keys SET seals = ${MAX_SEALS_PER_KEY - 1}`);
    for (const key of ['B', 'C']) await create(key);
    await store.close();
    const old = readFileSync(join(store.config.dataDirectory, 'root.key'), 'utf8').trim();
    const both = { SECRET_MANAGER_ROOT_KEY: `${rootKey},${old}` };
    // Its keys are under the new root key, those of the other account under the old one.
    await commandLine(store.config.dataDirectory, both).json('account', 'create', 'team');
    const file = join(freshDirectory(), 'backup');
    expect((await backUpStore(store.config, file, () => undefined)).rootKeyFingerprints).toHaveLength(2);
    for (const one of [old, rootKey]) {
      const sentence = /but the data still needs [0-9a-f]{16} too/;
      await expect(restore(newDirectory(), { SECRET_MANAGER_ROOT_KEY: one }, file)).rejects.toThrow(sentence);
    }

    const directory = newDirectory();
    await restore(directory, both, file);
    expect(await wrongIn(directory, both)).toEqual([]);
    const cli = commandLine(directory, both);
    expect(await cli.json('root-key', 'rotate')).toMatchObject({ is_new: false });
    expect(await cli.json('data-key', 'rotate', 'default')).toMatchObject({ is_new: false, version: 2 });
    expect(await wrongIn(directory, { SECRET_MANAGER_ROOT_KEY: rootKey })).toEqual([]);
    expect(await listsIn(directory, both)).toEqual(['list']);
  });

  test.runIf(process.getuid?.() === 0)('for the user who owns the directory', async () => {
    const directory = freshDirectory();
    chownSync(directory, 1234, 1234);
    await restore(directory, { SECRET_MANAGER_ROOT_KEY: rootKey });
    for (const name of readdirSync(directory)) expect(statSync(join(directory, name)).uid, name).toBe(1234);
  });
});

describe('the audit trail goes on', () => {
  const acceptances = (cli: CommandLine) => cli.lines('audit', 'list', '--action', 'audit.accept-rollback');

  test('behind what is lost, which it names', async () => {
    const directory = copyOfKilled();
    await restore(directory, {}, backup, true);
    const cli = commandLine(directory);
    const verified = await cli.text('audit', 'verify');
    expect(verified).toContain('Event 4 went with a store that was rolled back, which event 5 accepts.');
    expect(verified).toContain('the last one is 5');
    expect(await acceptances(cli)).toMatchObject([
      { id: 5, actor: 'command-line', target_kind: 'event', target_id: 3 },
    ]);
    const server = await startServerProcess({ ...QUICK_START, SECRET_MANAGER_DATA_DIR: directory });
    await server.stop();
    expect(await wrongIn(directory)).toEqual([]);
  });

  test('without a word when nothing is lost', async () => {
    const directory = copyOfKilled();
    const newest = join(freshDirectory(), 'newest');
    await backUpStore(configOf(directory), newest, () => undefined);
    await restore(directory, {}, newest, true);
    const cli = commandLine(directory);
    expect(await cli.json('audit', 'verify')).toMatchObject({ last_id: 4, notices: [] });
    expect((await cli.run('audit', 'list', '--action', 'audit.accept-rollback', '--json')).stdout).toBe('');
    expect(await listsIn(directory)).toEqual(['kept', 'later']);
  });

  test.each<[string, (directory: string) => void]>([
    ['that is missing', (directory) => rmSync(join(directory, 'head'))],
    ['of another store', (directory) => cpSync(join(otherStore, 'head'), join(directory, 'head'))],
  ])('beside a head %s, with a new one, and says so', async (_, spoil) => {
    const directory = copyOfKilled();
    spoil(directory);
    await restore(directory, {}, backup, true);
    expect(readFileSync(join(directory, 'head'), 'latin1')).toMatch(/^secret-manager head 1 4 /m);
    expect(await acceptances(commandLine(directory))).toMatchObject([{ id: 4, target_id: 3 }]);
    expect(await listsIn(directory)).toEqual(['kept']);
  });

  test('not while another command changes keys', async () => {
    const directory = copyOfKilled();
    const before = contentsOf(directory);
    const lock = acquireKeysLock(directory);
    await expect(restore(directory, {}, backup, true)).rejects.toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('Another command is changing keys'),
    });
    lock.release();
    expect(contentsOf(directory)).toEqual(before);
  });
});

describe('a database that is there', () => {
  test('is not replaced unasked', async () => {
    const directory = copyOfKilled();
    const before = contentsOf(directory);
    expect(await commandLine(directory).failure(EXIT_CODES.refused, 'restore', backup)).toContain('--replace');
    expect(contentsOf(directory)).toEqual(before);
  });

  test('is moved aside with its log, and can be taken back', async () => {
    const directory = copyOfKilled();
    const text = await commandLine(directory).text('restore', backup, '--replace');
    expect(text).toContain(databaseIn(directory));
    expect(await listsIn(directory)).toEqual(['kept']);
    const aside = readdirSync(directory).find((name) => /\.replaced-\d+T\d+Z$/.test(name)) ?? '';
    const { movedAside } = await restore(directory, {}, join(directory, aside), true);
    expect(movedAside).toHaveLength(1);
    expect(await listsIn(directory)).toEqual(['kept', 'later']);
  });

  test('that a server holds is not touched', async () => {
    const server = await startTestServer();
    const { dataDirectory } = server.config;
    const names = readdirSync(dataDirectory);
    const sentence = await commandLine(dataDirectory).failure(EXIT_CODES.storage, 'restore', backup, '--replace');
    expect(sentence).toContain('Another server is using');
    expect(readdirSync(dataDirectory)).toEqual(names);
    await server.close();
  });

  test('that a command has open is not moved away from under it', async () => {
    const directory = copyOfKilled();
    const administration = await composeAdministration(configOf(directory));
    await expect(restore(directory, {}, backup, true)).rejects.toMatchObject({
      kind: 'refused',
      message: 'Another command is using the database; wait until it has ended.',
    });
    await administration.accounts.create('late');
    await administration.close();
    expect(readdirSync(directory).filter((name) => /restoring|replaced/.test(name))).toEqual([]);
    expect(await commandLine(directory).text('account', 'list')).toContain('late');
    await restore(directory, {}, backup, true);
    expect(await listsIn(directory)).toEqual(['kept']);
  });

  test.each<[string, (file: string) => void]>([
    ['whole', () => undefined],
    ['a text', (file) => writeFileSync(file, 'not a database'.repeat(1_000))],
    ['empty', (file) => truncateSync(file, 0)],
    ['half of one', (file) => truncateSync(file, 12 * 4096)],
  ])('that is %s is moved aside with its log, and neither is changed', async (_, spoil) => {
    const directory = copyOfKilled();
    const path = databaseIn(directory);
    spoil(path);
    const before = [path, `${path}-wal`].map((file) => readFileSync(file));
    const { movedAside } = await restore(directory, {}, backup, true);
    expect(movedAside.slice(0, 2).map((file) => readFileSync(file))).toEqual(before);
    expect(await listsIn(directory)).toEqual(['kept']);
  });

  test('survives a kill -9, and the next restore clears up', async () => {
    const directory = copyOfKilled();
    const unfinished = () => readdirSync(directory).filter((name) => name.includes('.restoring-'));
    const { child, exit } = startProgram(
      { SECRET_MANAGER_DATA_DIR: directory },
      { command: [...PROGRAM, 'restore', backup, '--replace'] },
    );
    await eventually(() => unfinished().length > 0, 'it has begun');
    child.kill('SIGKILL');
    expect(await exit).toBe('SIGKILL');
    expect(unfinished()).not.toEqual([]);
    expect(await listsIn(directory)).toEqual(['kept', 'later']);
    await restore(directory, {}, backup, true);
    expect(unfinished()).toEqual([]);
    expect(await listsIn(directory)).toEqual(['kept']);
  });
});

describe('what can not be restored is refused in one sentence, and the data directory stays as it was', () => {
  const other = { SECRET_MANAGER_ROOT_KEY: Buffer.alloc(32, 9).toString('base64') };

  test.each<[string, string, RegExp, (file: string) => void, Record<string, string>?]>([
    ['a file that does not exist', 'refused', /There is no file/, (file) => rmSync(file)],
    ['a directory', 'refused', /There is no file/, replaceByDirectory],
    ['an empty file', 'refused', /not a database of/, (file) => truncateSync(file, 0)],
    ['a text', 'refused', /not a database of/, (file) => writeFileSync(file, 'not a backup'.repeat(1_000))],
    ["another program's database", 'refused', /not a database of/, (file) => change(file, 'PRAGMA application_id = 1')],
    ['half a backup', 'refused', /damaged/, (file) => truncateSync(file, 12 * 4096)],
    ['a backup with a damaged page', 'refused', /damaged/, damagePage],
    [
      'rows that belong to nothing',
      'refused',
      /belong to nothing/,
      (file) => change(file, 'PRAGMA foreign_keys = OFF; DELETE FROM accounts'),
    ],
    [
      "a newer version's",
      'storage',
      /9999-future/,
      (file) => change(file, "INSERT INTO schema_migrations VALUES ('9999-future', 'x', 'x')"),
    ],
    [
      'a store without keys',
      'refused',
      /holds no keys/,
      (file) => change(file, 'PRAGMA foreign_keys = OFF; DELETE FROM system_keys; DELETE FROM data_keys'),
    ],
    [
      'a data key that was changed',
      'root-key',
      /do not open/,
      (file) => change(file, 'UPDATE data_keys SET wrapped_key = zeroblob(61)'),
    ],
    [
      'a system key that was changed',
      'root-key',
      /do not open/,
      (file) => change(file, 'UPDATE system_keys SET wrapped_key = zeroblob(61)'),
    ],
    ["another root key's", 'root-key', /fingerprint/, () => undefined, other],
  ])('%s', async (_, kind, sentence, spoil, environment = {}) => {
    const file = join(freshDirectory(), 'backup');
    cpSync(backup, file);
    spoil(file);
    const directory = copyOfKilled();
    const before = contentsOf(directory);
    await expect(restore(directory, environment, file, true)).rejects.toMatchObject({
      name: 'OperatorError',
      kind,
      message: expect.stringMatching(sentence),
    });
    expect(contentsOf(directory)).toEqual(before);
  });

  test.runIf(canMountDisks())('a disk without room for it', async () => {
    const disk = mountSmallDisk(1_000) as SmallDisk;
    disk.fill(40_960);
    await expect(restore(disk.directory, { SECRET_MANAGER_ROOT_KEY: rootKey })).rejects.toMatchObject({
      kind: 'storage',
      message: `There is no room left in ${disk.directory}; make some and try again.`,
    });
    expect(readdirSync(disk.directory).sort()).toEqual(['filler', 'keys.lock', 'server.lock']);
    disk.unmount();
  });

  test('a backup whose root key is not at hand', async () => {
    const directory = freshDirectory();
    await expect(restore(directory)).rejects.toMatchObject({
      kind: 'root-key',
      message: expect.stringContaining('put the root key back'),
    });
    expect(readdirSync(directory)).toEqual(['keys.lock', 'server.lock']);
  });
});

/** The same rows under the first version's schema. */
function olderVersionOf(file: string): string {
  const older = join(freshDirectory(), 'older');
  createDatabaseFile(older);
  const database = new Database(older);
  applyMigrations(database, availableMigrations().slice(0, 1));
  database.pragma('foreign_keys = OFF');
  database.prepare('ATTACH ? AS newer').run(file);
  const select =
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('sqlite_sequence', 'schema_migrations')";
  for (const table of database.prepare<[], string>(select).pluck().all()) {
    const columns = database
      .prepare<[string], string>('SELECT name FROM pragma_table_info(?)')
      .pluck()
      .all(table)
      .join();
    // Later versions have system keys that the first one's table doesn't take.
    const known = table === 'system_keys' ? "WHERE purpose <> 'audit-chain'" : '';
    database.exec(`INSERT INTO ${table} (${columns}) SELECT ${columns} FROM newer.${table} ${known}`);
  }
  database.close();
  return older;
}

function change(file: string, sql: string): void {
  const database = new Database(file);
  database.exec(sql);
  database.close();
}

function replaceByDirectory(file: string): void {
  rmSync(file);
  mkdirSync(file);
}

function damagePage(file: string): void {
  const bytes = readFileSync(file);
  bytes.fill(0x55, 6 * 4096, 8 * 4096);
  writeFileSync(file, bytes);
}
