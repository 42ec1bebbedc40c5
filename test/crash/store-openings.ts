// Ways to open what a crash left and to read all of it.

import { existsSync } from 'node:fs';
import { migrateStore } from '../../src/compose.ts';
import { type Config, readConfig } from '../../src/config.ts';
import { hasRootKeyFile, provideRootKey } from '../../src/crypto/root-key-providers.ts';
import { createKeyring } from '../../src/services/keyring.ts';
import { createListsService } from '../../src/services/lists-service.ts';
import { createValuesService } from '../../src/services/values-service.ts';
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
const VALUES = '/api/secrets/all-values';

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
  const { storage } = openSqliteStorage({ directory, mode: 'existing', onOutcomeUnknown: () => undefined });
  let rows: Awaited<ReturnType<typeof readRows>> | undefined;
  try {
    await storage.checkWritable();
    rows = await readRows(config, storage);
  } finally {
    await storage.close();
  }
  // The first start was cut short, and has to be made good.
  if (rows === undefined) return openWhole(directory);
  const answers = rows;
  const ask: Ask = async (path) => ({ status: 200, json: { data: path === LISTS ? answers.lists : answers.values } });
  return readStoredState(ask, directory);
}

/** undefined before the first start has come to its end. */
async function readRows(config: Config, storage: Storage): Promise<Record<'lists' | 'values', Row[]> | undefined> {
  const storedFingerprints = await storage.keys.listRootKeyFingerprints();
  const systemKeys = await storage.keys.findSystemKeys();
  if (systemKeys === undefined || !hasRootKeyFile(config.dataDirectory)) return undefined;
  const directory = config.dataDirectory;
  const { rootKey } = provideRootKey({ configured: config.rootKey, directory, storedFingerprints });
  const keyring = createKeyring(rootKey, systemKeys, storage.keys);
  const caller = { accountId: 1, apiKeyId: 1, rights: 'read', requestId: '', address: '' } as const;
  const values = createValuesService({ values: storage.values, keyring, onBrokenSeal: () => undefined });
  return {
    lists: (await createListsService(storage.lists).list(caller)).map(({ id, name }) => ({ id, name })),
    values: (await values.listAll(caller)).map(({ id, secretListId, secretKey, secretValue }) => ({
      id,
      secret_list_id: secretListId,
      secret_key: secretKey,
      secret_value: secretValue,
    })),
  };
}
