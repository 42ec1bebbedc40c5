// A database takes the place of another: wherever that stops, the old one opens whole, or the new one does, or a start
// is refused with a sentence, and the next try finishes.

import { copyFileSync, cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { beforeAll, describe, expect, test } from 'vitest';
import { composeServer, type ServerOptions } from '../../../src/compose.ts';
import { backUpStore, examineStore, restoreStore } from '../../../src/compose-maintenance.ts';
import { type Config, readConfig } from '../../../src/config.ts';
import { createLogger } from '../../../src/logger.ts';
import { beginReplacement } from '../../../src/storage/sqlite/database-replacement.ts';
import { QUICK_START } from '../../support/program.ts';
import { startServerProcess } from '../../support/server-process.ts';
import { TEST_TOKEN } from '../../support/test-server.ts';
import { contentsOf, databaseIn, freshDirectory } from './store-directories.ts';

const logger = createLogger('silent', { write: () => undefined });
const OLD = ['both', 'old'];
const NEW = ['both'];
const REFUSED = 'A restore into';
const ROLLED_BACK = 'The database ends with audit event 3, but the file head knows event 4';

let backup: string;
/** Killed, so that most of it is in the log. Its root key comes from the configuration: the directory alone looks new. */
let killed: string;
let rootKey: string;
beforeAll(async () => {
  rootKey = Buffer.alloc(32, 3).toString('base64');
  const server = await startServerProcess({ ...QUICK_START, SECRET_MANAGER_ROOT_KEY: rootKey });
  killed = server.dataDirectory;
  const create = (name: string) =>
    server.fetch('/api/secrets/lists', { method: 'POST', body: new URLSearchParams({ name }) });
  await create('both');
  backup = join(freshDirectory(), 'backup');
  await backUpStore(configOf(killed), backup, () => undefined);
  await create('old');
  await server.stop('SIGKILL');
  for (const part of ['-wal', '-shm']) expect(statSync(databaseIn(killed) + part).size).toBeGreaterThan(0);
});

function configOf(directory: string): Config {
  return readConfig({
    SECRET_MANAGER_DATA_DIR: directory,
    SECRET_MANAGER_ROOT_KEY: rootKey,
    SECRET_MANAGER_API_KEY: TEST_TOKEN,
  });
}

function copyOfKilled(): string {
  const directory = join(freshDirectory(), 'data');
  cpSync(killed, directory, { recursive: true });
  return directory;
}

/** The lists that a server finds there, or the sentence with which it refuses. */
async function listsIn(directory: string, options: ServerOptions = {}): Promise<string[] | string> {
  try {
    const server = await composeServer(configOf(directory), logger, () => undefined, options);
    const headers = { authorization: `Bearer ${TEST_TOKEN}` };
    const answer = await server.app.inject({ method: 'GET', url: '/api/secrets/lists', headers });
    await server.close();
    return answer.json().data.map(({ name }: { name: string }) => name);
  } catch (error) {
    return (error as Error).message;
  }
}

async function expectWell(directory: string): Promise<void> {
  const results = await examineStore(configOf(directory), () => undefined);
  // Each restore notes what is lost, so that the trail has no hole that nobody accepted.
  for (const name of ['audit trail', 'head']) {
    expect(results.find((result) => result.name === name)).toMatchObject({ isFine: true });
  }
}

/** Does so many of the steps, and then no more. */
function replaceInPart(directory: string, steps: number): void {
  const { newPath, putInPlace } = beginReplacement(directory);
  copyFileSync(backup, newPath);
  const going = putInPlace();
  for (let i = 0; i < steps; i += 1) expect(going.next().done).toBe(false);
}

function namesIn(directory: string, part: string): string[] {
  return readdirSync(directory).filter((name) => name.includes(part));
}

describe.each([
  [0, 'before the first step', OLD, ''],
  [1, 'after the old database', REFUSED, 'database'],
  [2, 'after its log', REFUSED, 'database'],
  [3, "after its log's index", REFUSED, 'database'],
  [4, 'after the last step, before the audit trail goes on', ROLLED_BACK, 'head'],
] as const)('stopped after %i steps, %s', (steps, _, found, check) => {
  test('there is an old store, a new one or a refusal; the next restore is whole, and can be taken back', async () => {
    const directory = copyOfKilled();
    replaceInPart(directory, steps);
    const before = contentsOf(directory);
    const now = await listsIn(directory);
    if (typeof found === 'string') {
      expect(now).toContain(found);
      const results = await examineStore(configOf(directory), () => undefined);
      expect(results.find(({ name }) => name === check)?.text).toBe(now);
      // A start that gets as far as the head has opened the database for that.
      if (check === 'database') expect(contentsOf(directory)).toEqual(before);
    } else expect(now).toEqual(found);

    await restoreStore(configOf(directory), backup, { isReplacing: true, tell: () => undefined });
    expect(namesIn(directory, '.restoring-')).toEqual([]);
    await expectWell(directory);
    expect(await listsIn(directory)).toEqual(NEW);

    const aside = namesIn(directory, '.replaced-').filter((name) => name.endsWith('Z'));
    // A second run after the last step moved the new one aside, too.
    expect(aside).toHaveLength(steps === 4 ? 2 : 1);
    const file = join(directory, aside[0] ?? '');
    // A server that found the old one closed it in order, and so left no log.
    expect(existsSync(`${file}-wal`)).toBe(steps > 0);
    await restoreStore(configOf(directory), file, { isReplacing: true, tell: () => undefined });
    await expectWell(directory);
    expect(await listsIn(directory)).toEqual(OLD);
  });
});

test('stopped before the audit trail goes on, a start that accepts the rollback does what is left', async () => {
  const directory = copyOfKilled();
  replaceInPart(directory, 4);
  expect(await listsIn(directory)).toContain(ROLLED_BACK);
  expect(await listsIn(directory, { acceptRollback: true })).toEqual(NEW);
  await expectWell(directory);
  expect(await listsIn(directory)).toEqual(NEW);
});

test('a failure leaves the mark of an interruption before it', async () => {
  const directory = copyOfKilled();
  replaceInPart(directory, 1);
  const file = join(freshDirectory(), 'not a backup');
  copyFileSync(backup, file);
  const database = new Database(file);
  database.pragma('foreign_keys = OFF');
  database.exec('DELETE FROM accounts');
  database.close();
  const options = { isReplacing: true, tell: () => undefined };
  await expect(restoreStore(configOf(directory), file, options)).rejects.toMatchObject({ kind: 'refused' });
  expect(await listsIn(directory)).toContain(REFUSED);
});

test('a log that its database was lost from is moved aside', async () => {
  const directory = copyOfKilled();
  const log = readFileSync(`${databaseIn(directory)}-wal`);
  rmSync(databaseIn(directory));
  const { movedAside } = await restoreStore(configOf(directory), backup, { isReplacing: false, tell: () => undefined });
  expect(readFileSync(movedAside[0] ?? '').equals(log)).toBe(true);
  expect(await listsIn(directory)).toEqual(NEW);
});

test('nothing that was moved aside before is overwritten', async () => {
  const directory = copyOfKilled();
  replaceInPart(directory, 2);
  const [aside = ''] = namesIn(directory, '.replaced-').filter((name) => name.endsWith('-wal'));
  const log = readFileSync(join(directory, aside));
  writeFileSync(`${databaseIn(directory)}-wal`, 'another');
  const options = { isReplacing: true, tell: () => undefined };
  await expect(restoreStore(configOf(directory), backup, options)).rejects.toMatchObject({ kind: 'storage' });
  expect(readFileSync(join(directory, aside)).equals(log)).toBe(true);
});
