// secret-manager backup: what is in the file, and that there is none unless all of it is there.

import { once } from 'node:events';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { beforeAll, describe, expect, test } from 'vitest';
import { backUpStore } from '../../src/compose-maintenance.ts';
import { readConfig } from '../../src/config.ts';
import { canMountDisks, mountSmallDisk, type SmallDisk } from '../storage/sqlite/small-disk.ts';
import { databaseIn, freshDirectory } from '../storage/sqlite/store-directories.ts';
import { type CommandLine, commandLine, EXIT_CODES } from '../support/command-line.ts';
import { eventually, PROGRAM, QUICK_START, startProgram } from '../support/program.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';

const LIST = '/api/secrets/lists/list';
const PLAIN = 'the plain text of a value that is searched for';
const DELETED = 'NAME_OF_A_DELETED_VALUE_';

let server: ServerProcess;
let cli: CommandLine;
beforeAll(async () => {
  server = await startServerProcess(QUICK_START);
  cli = commandLine(server.dataDirectory);
  await post('/api/secrets/lists', { name: 'list' });
  await post(`${LIST}/values`, { secret_key: 'KEPT', secret_value: PLAIN });
  for (let i = 0; i < 50; i += 1) await post(`${LIST}/values`, { secret_key: DELETED + i, secret_value: PLAIN });
  await Promise.all(
    Array.from({ length: 50 }, (_, i) => server.fetch(`${LIST}/values/${DELETED}${i}`, { method: 'DELETE' })),
  );
});

function post(path: string, fields: Record<string, string>) {
  return server.fetch(path, { method: 'POST', body: new URLSearchParams(fields) });
}

function newFile(): string {
  return join(freshDirectory(), 'backup');
}

describe('a backup beside a running server', () => {
  let file: string;
  // biome-ignore lint/suspicious/noExplicitAny: what the command printed.
  let printed: any;
  beforeAll(async () => {
    file = newFile();
    printed = await cli.json('backup', file);
  });

  test('says what it holds and which root key opens it, and is for its owner alone', () => {
    const { size, mode } = statSync(file);
    expect(printed).toEqual({
      file,
      bytes: size,
      accounts: 1,
      lists: 1,
      values: 1,
      root_keys: [expect.stringMatching(/^[0-9a-f]{16}$/)],
    });
    expect(mode & 0o777).toBe(0o600);
    expect(readdirSync(join(file, '..'))).toEqual(['backup']);
  });

  test('is a whole database that remembers the ids it has given', () => {
    const database = new Database(file, { readonly: true });
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
    expect(database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'secret_values'").pluck().get()).toBe(51);
    database.close();
  });

  test('holds no root key, no plain text, and nothing that was deleted', () => {
    const bytes = readFileSync(file);
    const rootKey = readFileSync(join(server.dataDirectory, 'root.key'), 'utf8').trim();
    expect(bytes.includes('KEPT')).toBe(true);
    for (const secret of [rootKey, Buffer.from(rootKey, 'base64'), PLAIN, DELETED, server.token]) {
      expect(bytes.includes(secret)).toBe(false);
    }
  });

  test('is never overwritten', async () => {
    const before = readFileSync(file);
    expect(await cli.failure(EXIT_CODES.refused, 'backup', file)).toContain(file);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test('is told to a person in lines', async () => {
    const other = newFile();
    expect(await cli.text('backup', other)).toMatch(
      /^Backed up to [^\n]+, [\d.]+ kB\.\naccounts {2}1\nlists {5}1\nvalues {4}1\nroot key {2}[0-9a-f]{16}, which/,
    );
  });
});

test('the root key is not needed for a backup, which tells which one it is', async () => {
  const directory = join(freshDirectory(), 'copy');
  cpSync(server.dataDirectory, directory, { recursive: true });
  rmSync(join(directory, 'root.key'));
  const { root_keys } = await commandLine(directory).json('backup', newFile());
  expect(await commandLine(directory).failure(EXIT_CODES.rootKey, 'key', 'list')).toContain(root_keys[0]);
});

test('a file in the data directory, or in none, is refused', async () => {
  const { dataDirectory } = server;
  const before = readdirSync(dataDirectory);
  await cli.failure(EXIT_CODES.refused, 'backup', join(dataDirectory, 'backup'));
  await cli.failure(EXIT_CODES.refused, 'backup', join(dataDirectory, 'none', 'backup'));
  expect(readdirSync(dataDirectory)).toEqual(before);
});

describe('an interrupted backup', () => {
  const unfinishedIn = (directory: string) => readdirSync(directory).filter((name) => name.includes('-unfinished-'));

  async function interrupt(signal: NodeJS.Signals): Promise<string> {
    const directory = freshDirectory();
    const program = startProgram(
      { SECRET_MANAGER_DATA_DIR: server.dataDirectory },
      { command: [...PROGRAM, 'backup', join(directory, 'backup')] },
    );
    await eventually(() => unfinishedIn(directory).length > 0 || existsSync(join(directory, 'backup')), 'it has begun');
    program.child.kill(signal);
    if (program.child.exitCode === null && program.child.signalCode === null) await once(program.child, 'exit');
    expect(existsSync(join(directory, 'backup'))).toBe(false);
    return directory;
  }

  test.each(['SIGINT', 'SIGTERM'] as const)('by %s leaves nothing', async (signal) => {
    expect(readdirSync(await interrupt(signal))).toEqual([]);
  });

  test('by kill -9 leaves a file that says so, which the next one removes', async () => {
    const directory = await interrupt('SIGKILL');
    expect(unfinishedIn(directory)).toHaveLength(1);
    await cli.json('backup', join(directory, 'another'));
    expect(readdirSync(directory)).toEqual(['another']);
  });
});

describe('a backup of what is not whole', () => {
  test.each<[string, string, RegExp, (path: string) => void]>([
    [
      'a file that is no database',
      'storage',
      /not a SQLite database/,
      (path) => {
        rmSync(`${path}-wal`);
        writeFileSync(path, 'text');
      },
    ],
    [
      "a newer version's database",
      'storage',
      /9999-future/,
      (path) => {
        const database = new Database(path);
        database.exec("INSERT INTO schema_migrations VALUES ('9999-future', 'x', 'x')");
        database.close();
      },
    ],
    [
      'a damaged database',
      'refused',
      /damaged/,
      (path) => {
        const database = new Database(path);
        database.pragma('wal_checkpoint(TRUNCATE)');
        const page = database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'secret_values'").pluck().get();
        database.close();
        const bytes = readFileSync(path);
        bytes.fill(0x55, (Number(page) - 1) * 4096, Number(page) * 4096);
        writeFileSync(path, bytes);
      },
    ],
  ])('%s is refused, and there is no file', async (_, kind, sentence, change) => {
    const directory = join(freshDirectory(), 'copy');
    cpSync(server.dataDirectory, directory, { recursive: true });
    change(databaseIn(directory));
    const file = newFile();
    const config = readConfig({ SECRET_MANAGER_DATA_DIR: directory });
    await expect(backUpStore(config, file, () => undefined)).rejects.toMatchObject({
      name: 'OperatorError',
      kind,
      message: expect.stringMatching(sentence),
    });
    expect(readdirSync(join(file, '..'))).toEqual([]);
  });
});

test.runIf(canMountDisks())('a full disk is refused with one sentence, and nothing is left on it', async () => {
  const disk = mountSmallDisk(1_000) as SmallDisk;
  for (const free of [0, 40_960]) {
    disk.fill(free);
    const sentence = await cli.failure(EXIT_CODES.storage, 'backup', join(disk.directory, 'backup'));
    expect(sentence).toBe(`There is no room left in ${disk.directory}; make some and try again.`);
    expect(readdirSync(disk.directory)).toEqual(['filler']);
    disk.empty();
  }
  disk.unmount();
});
