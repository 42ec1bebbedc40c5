// A second server on the same data directory is refused, from this process and from another.

import { beforeAll, describe, expect, test } from 'vitest';
import { migrateStore } from '../../../src/compose-storage.ts';
import { readConfig } from '../../../src/config.ts';
import { acquireServerLock } from '../../../src/storage/sqlite/server-lock.ts';
import { runCommand, type ServerProcess, startServerProcess } from '../../support/server-process.ts';
import { freshDirectory, openIn } from './store-directories.ts';

const REFUSAL = 'Another server is using the data directory';

describe('the lock of a data directory', () => {
  test('is given once, and again when it was released', () => {
    const directory = freshDirectory();
    const first = acquireServerLock(directory);
    const refused = expect.objectContaining({
      name: 'OperatorError',
      kind: 'storage',
      message: expect.stringContaining(REFUSAL),
    });
    expect(() => acquireServerLock(directory)).toThrow(refused);
    expect(() => acquireServerLock(directory)).toThrow(refused);
    first.release();
    const second = acquireServerLock(directory);
    expect(() => acquireServerLock(directory)).toThrow(refused);
    second.release();
  });

  test('of one directory leaves another alone', () => {
    const locks = [acquireServerLock(freshDirectory()), acquireServerLock(freshDirectory())];
    for (const lock of locks) lock.release();
  });

  test('does not lock the database: the command line works beside a server', async () => {
    const directory = freshDirectory();
    const lock = acquireServerLock(directory);
    const { storage } = openIn(directory);
    const beside = openIn(directory, 'existing');
    await beside.storage.checkWritable();
    await storage.checkWritable();
    await beside.storage.close();
    await storage.close();
    lock.release();
  });
});

describe('a running server', () => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await startServerProcess({ SECRET_MANAGER_DATA_DIR: freshDirectory() });
    return () => void server.child.kill('SIGKILL');
  });

  test('keeps other processes from serving and from migrating its data, and goes on', async () => {
    const environment = { SECRET_MANAGER_DATA_DIR: server.dataDirectory, PORT: '0' };
    const { exitCode, stderr, stdout } = await runCommand(['serve'], environment);
    expect(exitCode).toBe(5);
    expect(stderr.trim().split('\n')).toEqual([expect.stringContaining(REFUSAL)]);
    expect(stdout).toBe('');
    await expect(migrateStore(readConfig(environment))).rejects.toMatchObject({ kind: 'storage' });
    expect((await server.fetch('/readyz')).status).toBe(200);
  });

  test('that is killed leaves no lock behind', async () => {
    await server.stop('SIGKILL');
    acquireServerLock(server.dataDirectory).release();
    const { storage } = openIn(server.dataDirectory, 'existing');
    expect(await storage.accounts.list()).toHaveLength(1);
    await storage.close();
  });
});
