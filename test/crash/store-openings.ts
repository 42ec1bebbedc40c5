// Ways to open what a crash left and to read all of it.

import { existsSync } from 'node:fs';
import { composeAdministration } from '../../src/compose.ts';
import { openKeyring, provideKeys } from '../../src/compose-keys.ts';
import { migrateStore } from '../../src/compose-storage.ts';
import { type Config, readConfig } from '../../src/config.ts';
import { openValue } from '../../src/crypto/value-seal.ts';
import { openSqliteStorage } from '../../src/storage/sqlite/sqlite-storage.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { QUICK_START } from '../support/program.ts';
import { startServerProcess } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { startTestServer, TEST_TOKEN } from '../support/test-server.ts';
import { type Ask, type Row, readServerState, readStoredState, type StoredState } from './stored-state.ts';

export type Open = (directory: string) => Promise<StoredState>;

const MEMORY = '/dev/shm';
const LISTS = '/api/secrets/lists';
const ALL_IDS = { first: 0, last: Number.MAX_SAFE_INTEGER };
const VALUES = '/api/secrets/all-values';
/** `default`. */
const ACCOUNT = 1;

/** Where states are rebuilt: in memory if there is such a place, since nothing there must outlast anything. */
export function stateDirectory(): string {
  return existsSync(MEMORY) ? temporaryDirectory(MEMORY) : temporaryDirectory();
}

/** By a process of its own that is asked over HTTP, and ends in order. */
export async function openAsProcess(directory: string): Promise<StoredState> {
  const server = await startServerProcess({ ...QUICK_START, SECRET_MANAGER_DATA_DIR: directory });
  const stored = await readServerState(server);
  const { exit } = await server.stop();
  if (exit !== 0) throw new Error(`the server ended with ${exit}`);
  return stored;
}

/** By all that a start does, in this process. */
export async function openWhole(directory: string): Promise<StoredState> {
  const server = await startTestServer({ SECRET_MANAGER_DATA_DIR: directory, LOG_LEVEL: 'silent' });
  try {
    const [lists, values, ready] = await Promise.all([
      server.request('GET', LISTS),
      server.request('GET', VALUES),
      server.request('GET', '/readyz'),
    ]);
    if (ready.status !== 200) throw new Error(`/readyz answers ${ready.status}`);
    await server.close();
    return await readStoredState(async (path) => (path === LISTS ? lists : values), directory);
  } finally {
    await server.close();
  }
}

/** By what a start does with the files and keys, without its HTTP side, which takes most of the time. */
export async function openInside(directory: string): Promise<StoredState> {
  const config = readConfig({ SECRET_MANAGER_DATA_DIR: directory, SECRET_MANAGER_API_KEY: TEST_TOKEN });
  await migrateStore(config);
  // A first start that was cut short has to be made good.
  if (!(await isInitialised(directory))) return openWhole(directory);
  await (await composeAdministration(config)).close();
  const rows = await withStorage(directory, async (storage) => {
    await storage.checkWritable();
    return readRows(config, storage);
  });
  const ask: Ask = async (path) => ({ status: 200, json: { data: path === LISTS ? rows.lists : rows.values } });
  return readStoredState(ask, directory);
}

function isInitialised(directory: string): Promise<boolean> {
  return withStorage(directory, async ({ keys }) => (await keys.listRootKeyFingerprints()).length > 0);
}

async function withStorage<T>(directory: string, work: (storage: Storage) => Promise<T>): Promise<T> {
  const { storage } = openSqliteStorage({ directory, mode: 'existing', onOutcomeUnknown: () => undefined });
  try {
    return await work(storage);
  } finally {
    await storage.close();
  }
}

async function readRows(config: Config, storage: Storage): Promise<Record<'lists' | 'values', Row[]>> {
  const { rootKeys } = await provideKeys(config, storage);
  const keyring = await openKeyring(rootKeys, storage);
  return await keyring.withDataKeys(ACCOUNT, async (dataKeys) => ({
    lists: (await storage.lists.list(ACCOUNT)).map(({ id, name }) => ({ id, name })),
    values: (await storage.values.listRange(ACCOUNT, null, ALL_IDS)).map((record) => ({
      id: record.id,
      secret_list_id: record.secretListId,
      secret_key: record.secretKey,
      secret_value: openValue(dataKeys.get(record.dataKeyVersion), record.sealedValue, {
        ...record,
        accountId: ACCOUNT,
      }),
    })),
  }));
}
