// The first start, however often it was interrupted; and what must never be taken for one.

import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { composeServer } from '../../../src/compose.ts';
import { migrateStore } from '../../../src/compose-storage.ts';
import { type Config, readConfig } from '../../../src/config.ts';
import { CHAIN_START } from '../../../src/domain/audit-events.ts';
import { openHeadFile } from '../../../src/files/head-file.ts';
import { createLogger } from '../../../src/logger.ts';
import { createDatabaseFile } from '../../../src/storage/sqlite/sqlite-connection.ts';
import { TEST_CHAIN } from '../../support/audit-trails.ts';
import { contentsOf, databaseIn, freshDirectory, openIn } from './store-directories.ts';

const OLD_KEY = `${Buffer.alloc(32, 7).toString('base64')}\n`;
const TOKEN = 'a-key-of-the-tests-and-of-nothing-else';
const logger = createLogger('silent', { write: () => undefined });

function configOf(directory: string, environment: Record<string, string> = {}): Config {
  return readConfig({ SECRET_MANAGER_DATA_DIR: directory, SECRET_MANAGER_API_KEY: TOKEN, ...environment });
}

/** Starts a server, asks it with the token, and stops it. */
async function start(directory: string, environment: Record<string, string> = {}, token = TOKEN) {
  const server = await composeServer(configOf(directory, environment), logger, () => undefined);
  const headers = { authorization: `Bearer ${token}` };
  const { statusCode } = await server.app.inject({ method: 'GET', url: '/api/secrets/lists', headers });
  await server.close();
  return { firstToken: server.firstToken, status: statusCode };
}

const WORKS_FIRST = { firstToken: TOKEN, status: 200 };
const WORKS_AGAIN = { firstToken: undefined, status: 200 };

function pathsIn(directory: string) {
  return {
    head: join(directory, 'head'),
    key: join(directory, 'root.key'),
    pending: join(directory, 'root.key.pending'),
  };
}

/** As a start makes it before anything is written, under a key that was never stored. */
function createFirstHead(directory: string): void {
  openHeadFile(directory, () => undefined).create(TEST_CHAIN.sealHead({ eventId: 0, hash: CHAIN_START }));
}

describe('a first start', () => {
  test('generates a token, shows it this once, and it works from then on', async () => {
    const directory = freshDirectory();
    const config = { ...configOf(directory), firstApiKey: undefined };
    const server = await composeServer(config, logger, () => undefined);
    await server.close();
    expect(server.firstToken).toMatch(/^smk_[0-9A-Za-z]{49}$/);
    expect(await start(directory, {}, server.firstToken)).toEqual(WORKS_AGAIN);
    expect((await start(directory)).status).toBe(401);
  });

  test('leaves database, head, reserve, root key and lock, and nothing unfinished', async () => {
    const directory = freshDirectory();
    expect(await start(directory)).toEqual(WORKS_FIRST);
    expect(Object.keys(contentsOf(directory))).toEqual([
      'head',
      'reserve',
      'root.key',
      'secret-manager.db',
      'server.lock',
    ]);
  });

  test('with a root key from the configuration writes none', async () => {
    const directory = freshDirectory();
    const environment = { SECRET_MANAGER_ROOT_KEY: Buffer.alloc(32, 1).toString('base64') };
    expect(await start(directory, environment)).toEqual(WORKS_FIRST);
    expect(Object.keys(contentsOf(directory))).toEqual(['head', 'reserve', 'secret-manager.db', 'server.lock']);
    expect(await start(directory, environment)).toEqual(WORKS_AGAIN);
  });
});

describe('an interrupted first start is made good by the next one', () => {
  test('before the database', async () => {
    const directory = freshDirectory();
    const { key, pending } = pathsIn(directory);
    writeFileSync(pending, OLD_KEY, { mode: 0o600 });
    expect(await start(directory)).toEqual(WORKS_FIRST);
    expect(existsSync(pending)).toBe(false);
    expect(readFileSync(key, 'utf8')).not.toBe(OLD_KEY);
  });

  test('in the middle of writing the key', async () => {
    const directory = freshDirectory();
    writeFileSync(pathsIn(directory).pending, 'half of a k', { mode: 0o644 });
    expect(await start(directory)).toEqual(WORKS_FIRST);
  });

  test('in the middle of making the database', async () => {
    const directory = freshDirectory();
    writeFileSync(`${databaseIn(directory)}.new`, 'half of a database');
    expect(await start(directory)).toEqual(WORKS_FIRST);
    expect(existsSync(`${databaseIn(directory)}.new`)).toBe(false);
  });

  test('before the migration', async () => {
    const directory = freshDirectory();
    createDatabaseFile(databaseIn(directory));
    expect(await start(directory)).toEqual(WORKS_FIRST);
  });

  test.each([false, true])('between migration and initialisation, a key waiting: %s', async (isKeyWaiting) => {
    const directory = freshDirectory();
    await openIn(directory).storage.close();
    if (isKeyWaiting) writeFileSync(pathsIn(directory).pending, OLD_KEY, { mode: 0o600 });
    expect(await start(directory)).toEqual(WORKS_FIRST);
  });

  test('between the making of the head and the initialisation', async () => {
    const directory = freshDirectory();
    await openIn(directory).storage.close();
    const other = freshDirectory();
    const { head } = pathsIn(directory);
    createFirstHead(other);
    renameSync(pathsIn(other).head, head);
    expect(await start(directory)).toEqual(WORKS_FIRST);
    expect(await start(directory)).toEqual(WORKS_AGAIN);
  });

  test('after "migrate" alone', async () => {
    const directory = freshDirectory();
    expect(await migrateStore(configOf(directory))).toContain('0001-initial');
    expect(await migrateStore(configOf(directory))).toEqual([]);
    expect(await start(directory)).toEqual(WORKS_FIRST);
  });

  test('between initialisation and the lasting name of the key', async () => {
    const directory = freshDirectory();
    const { key, pending } = pathsIn(directory);
    await start(directory);
    renameSync(key, pending);
    expect(await start(directory)).toEqual(WORKS_AGAIN);
    expect(existsSync(key)).toBe(true);
    expect(existsSync(pending)).toBe(false);
  });
});

describe('lost data is not taken for a first start', () => {
  test.each(['', '-wal'])('a root key without its database is refused and nothing is made', async (suffix) => {
    const directory = freshDirectory();
    await start(directory);
    const database = databaseIn(directory);
    rmSync(database);
    if (suffix !== '') writeFileSync(database + suffix, 'left over');
    const before = contentsOf(directory);
    for (const attempt of [() => start(directory), () => migrateStore(configOf(directory))]) {
      await expect(attempt()).rejects.toMatchObject({
        name: 'OperatorError',
        kind: 'storage',
        message: expect.stringContaining('has a root key but no database'),
      });
    }
    expect(contentsOf(directory)).toEqual(before);
  });

  test('a head without its database is refused and nothing is made', async () => {
    const directory = freshDirectory();
    const environment = { SECRET_MANAGER_ROOT_KEY: Buffer.alloc(32, 1).toString('base64') };
    await start(directory, environment);
    rmSync(databaseIn(directory));
    const before = contentsOf(directory);
    await expect(start(directory, environment)).rejects.toMatchObject({
      kind: 'storage',
      message: expect.stringContaining('has a file head but no database'),
    });
    expect(contentsOf(directory)).toEqual(before);
  });

  test('a head that knows events beside an empty database is refused', async () => {
    const directory = freshDirectory();
    const environment = { SECRET_MANAGER_ROOT_KEY: Buffer.alloc(32, 1).toString('base64') };
    await start(directory, environment);
    rmSync(databaseIn(directory));
    createDatabaseFile(databaseIn(directory));
    await expect(start(directory, environment)).rejects.toMatchObject({
      kind: 'storage',
      message: expect.stringMatching(/^The database is empty, but the file head knows audit event 2; /),
    });
  });

  test('a write-ahead log without its database is refused and nothing is made', async () => {
    const directory = freshDirectory();
    writeFileSync(`${databaseIn(directory)}-wal`, 'left over');
    await expect(start(directory)).rejects.toMatchObject({
      kind: 'storage',
      message: expect.stringContaining('is gone but its -wal file is there'),
    });
    expect(Object.keys(contentsOf(directory))).toEqual(['secret-manager.db-wal', 'server.lock']);
  });

  test('a database without its root key is refused, no key is made, and the lock is free again', async () => {
    const directory = freshDirectory();
    const { key } = pathsIn(directory);
    await start(directory);
    renameSync(key, `${key}.away`);
    const before = contentsOf(directory);
    await expect(start(directory)).rejects.toMatchObject({
      kind: 'root-key',
      message: expect.stringContaining('put the root key back'),
    });
    expect(contentsOf(directory)).toEqual(before);
    renameSync(`${key}.away`, key);
    expect(await start(directory)).toEqual(WORKS_AGAIN);
  });

  test("a database with another store's root key is refused, and told both fingerprints", async () => {
    const directory = freshDirectory();
    const other = freshDirectory();
    await start(directory);
    await start(other);
    renameSync(pathsIn(other).key, pathsIn(directory).key);
    const before = contentsOf(directory);
    await expect(start(directory)).rejects.toMatchObject({
      kind: 'root-key',
      message: expect.stringMatching(/has the fingerprint [0-9a-f]{16}, but the data was sealed under [0-9a-f]{16};/),
    });
    const environment = { SECRET_MANAGER_ROOT_KEY: Buffer.alloc(32, 1).toString('base64') };
    await expect(start(directory, environment)).rejects.toMatchObject({ kind: 'root-key' });
    expect(contentsOf(directory)).toEqual(before);
  });
});
