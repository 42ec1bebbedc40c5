// What is kept of answers is never seen from outside: after every kind of change, by this process or another, reading
// gives what a server that keeps nothing would give.

import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSqliteStorage } from '../../src/storage/sqlite/sqlite-storage.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { followTrail } from '../support/audit-trails.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { expectSuccess } from './api-answers.ts';

const LISTS = '/api/secrets/lists';
const ALL = '/api/secrets/all-values';

interface ListOnTheWire {
  readonly id: number;
  readonly name: string;
}

interface ValueOnTheWire {
  readonly id: number;
  readonly secret_list_id: number;
  readonly secret_key: string;
}

/** An account as it must be, from what the server answered to its changes. */
class Model {
  readonly lists = new Map<number, ListOnTheWire>();
  readonly values = new Map<number, ValueOnTheWire>();

  valuesOf(listId: number): ValueOnTheWire[] {
    return [...this.values.values()].filter((value) => value.secret_list_id === listId);
  }

  deleteList(id: number): void {
    for (const value of this.valuesOf(id)) this.values.delete(value.id);
    this.lists.delete(id);
  }
}

function byId<T extends { readonly id: number }>(things: Iterable<T>): T[] {
  return [...things].sort((a, b) => a.id - b.id);
}

function answerWith(data: unknown): string {
  return JSON.stringify({ result: 'success', message: null, code: 200, data, meta: [] });
}

let server: TestServer;
let elsewhere: Storage;
let accounts = 0;
beforeAll(async () => {
  server = await startTestServer();
  const directory = server.config.dataDirectory;
  elsewhere = followTrail(
    openSqliteStorage({ directory, mode: 'existing', onOutcomeUnknown: () => undefined }).storage,
  );
});
afterAll(async () => {
  await elsewhere.close();
  await server.close();
});

interface Scene {
  readonly model: Model;
  readonly accountId: number;
  readonly token: string;
}

async function newScene(): Promise<Scene> {
  accounts += 1;
  const { token } = await server.newKey(`account ${accounts}`);
  const account = await elsewhere.accounts.find({ name: `account ${accounts}` });
  return { model: new Model(), accountId: account?.id ?? 0, token };
}

async function change({ token }: Scene, method: string, path: string, body?: unknown) {
  return expectSuccess(await server.request(method, path, { token, ...(body === undefined ? {} : { body }) }));
}

async function expectRead({ token }: Scene, path: string, data: unknown): Promise<void> {
  const answer = await server.request('GET', path, { token });
  expect([path, answer.text]).toEqual([path, answerWith(data)]);
}

async function expectAllRight(scene: Scene): Promise<void> {
  const { model } = scene;
  await expectRead(scene, LISTS, byId(model.lists.values()));
  await expectRead(scene, ALL, byId(model.values.values()));
  for (const { id, name } of model.lists.values()) {
    await expectRead(scene, `${LISTS}/${name}/values`, byId(model.valuesOf(id)));
  }
  for (const value of model.values.values()) {
    const { name } = model.lists.get(value.secret_list_id) as ListOnTheWire;
    await expectRead(scene, `${LISTS}/${value.secret_list_id}/values/${value.id}`, value);
    await expectRead(scene, `${LISTS}/${name}/values/${value.secret_key}`, value);
  }
}

const elsewhereEvent = (accountId: number) => ({
  occurredAt: new Date().toISOString(),
  actor: 'command-line' as const,
  accountId,
  apiKeyId: null,
  requestId: null,
  address: null,
});

/** One change; `pick` chooses among what there is. */
type Step = (scene: Scene, pick: number) => Promise<void>;

const pickOf = <T>(things: Iterable<T>, pick: number): T | undefined => {
  const all = [...things];
  return all[pick % Math.max(1, all.length)];
};

let names = 0;
const STEPS: Record<string, Step> = {
  async 'create a list'(scene) {
    names += 1;
    const list = await change(scene, 'POST', LISTS, { name: `list-${names}` });
    scene.model.lists.set(list.id, list);
  },
  async 'rename a list'(scene, pick) {
    const list = pickOf(scene.model.lists.values(), pick);
    if (list === undefined) return;
    names += 1;
    scene.model.lists.set(list.id, await change(scene, 'POST', `${LISTS}/${list.id}`, { name: `list-${names}` }));
  },
  async 'delete a list'(scene, pick) {
    const list = pickOf(scene.model.lists.values(), pick);
    if (list === undefined) return;
    await change(scene, 'DELETE', `${LISTS}/${list.id}`);
    scene.model.deleteList(list.id);
  },
  async 'create some values'(scene, pick) {
    const list = pickOf(scene.model.lists.values(), pick);
    if (list === undefined) return;
    for (let i = 0; i < (pick % 3) * 40 + 1; i += 1) {
      names += 1;
      const body = { secret_key: `KEY_${names}`, secret_value: `value "${names}" \u{1f511}` };
      const value = await change(scene, 'POST', `${LISTS}/${list.id}/values`, body);
      scene.model.values.set(value.id, value);
    }
  },
  async 'update a value'(scene, pick) {
    const value = pickOf(scene.model.values.values(), pick);
    if (value === undefined) return;
    const path = `${LISTS}/${value.secret_list_id}/values/${value.id}`;
    names += 1;
    scene.model.values.set(value.id, await change(scene, 'POST', path, { secret_value: `changed ${names}` }));
  },
  async 'rename a key'(scene, pick) {
    const value = pickOf(scene.model.values.values(), pick);
    if (value === undefined) return;
    const path = `${LISTS}/${value.secret_list_id}/values/${value.id}`;
    names += 1;
    scene.model.values.set(value.id, await change(scene, 'POST', path, { secret_key: `RENAMED_${names}` }));
  },
  async 'delete a value'(scene, pick) {
    const value = pickOf(scene.model.values.values(), pick);
    if (value === undefined) return;
    await change(scene, 'DELETE', `${LISTS}/${value.secret_list_id}/values/${value.id}`);
    scene.model.values.delete(value.id);
  },
  async 'rename a list in another process'({ model, accountId }, pick) {
    const list = pickOf(model.lists.values(), pick);
    if (list === undefined) return;
    names += 1;
    const event = { ...elsewhereEvent(accountId), action: 'list.update' as const };
    const renamed = await elsewhere.lists.rename(accountId, { id: list.id }, `list-${names}`, event);
    const { id, name, createdAt, updatedAt } = renamed as NonNullable<typeof renamed>;
    model.lists.set(id, { id, name, created_at: createdAt, updated_at: updatedAt } as ListOnTheWire);
  },
  async 'delete a value in another process'({ model, accountId }, pick) {
    const value = pickOf(model.values.values(), pick);
    if (value === undefined) return;
    const event = { ...elsewhereEvent(accountId), action: 'value.delete' as const };
    await elsewhere.values.delete(accountId, { id: value.secret_list_id }, { id: value.id }, event);
    model.values.delete(value.id);
  },
  async 'delete a list in another process'({ model, accountId }, pick) {
    const list = pickOf(model.lists.values(), pick);
    if (list === undefined) return;
    const event = { ...elsewhereEvent(accountId), action: 'list.delete' as const };
    await elsewhere.lists.delete(accountId, { id: list.id }, event);
    model.deleteList(list.id);
  },
};

describe('reading', () => {
  test('gives what the last change left, after any changes', async () => {
    const step = fc.record({ name: fc.constantFrom(...Object.keys(STEPS)), pick: fc.nat(1_000) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
        const scene = await newScene();
        const first = ['create a list', 'create some values', 'create a list', 'create some values'];
        for (const [i, name] of first.entries()) await STEPS[name]?.(scene, i);
        await expectAllRight(scene);
        for (const { name, pick } of steps) {
          await STEPS[name]?.(scene, pick);
          await expectRead(scene, ALL, byId(scene.model.values.values()));
        }
        await expectAllRight(scene);
      }),
      { numRuns: 8 },
    );
  });

  test('gives one whole state while the account changes, never two halves', async () => {
    const scene = await newScene();
    const list = await change(scene, 'POST', LISTS, { name: 'busy' });
    const path = `${LISTS}/${list.id}/values`;
    for (let i = 0; i < 130; i += 1) {
      await change(scene, 'POST', path, { secret_key: `K${i}`, secret_value: 'round 0' });
    }
    // Each round changes the last value, then the first: a reader may see the last ahead by one, never behind.
    const writing = (async () => {
      for (let round = 1; round <= 30; round += 1) {
        for (const key of ['K129', 'K0'])
          await change(scene, 'POST', `${path}/${key}`, { secret_value: `round ${round}` });
      }
    })();
    let isWriting = true;
    void writing.finally(() => {
      isWriting = false;
    });
    while (isWriting) {
      await nextTurn();
      const data = (await change(scene, 'GET', ALL)) as { secret_key: string; secret_value: string }[];
      const roundOf = (key: string) => Number(data.find((each) => each.secret_key === key)?.secret_value.slice(6));
      expect(data).toHaveLength(130);
      expect([0, 1]).toContain(roundOf('K129') - roundOf('K0'));
    }
    await writing;
  });
});

test('values that another process deletes while a large answer is made are in none of it', async () => {
  const scene = await newScene();
  const list = await change(scene, 'POST', LISTS, { name: 'large' });
  const path = `${LISTS}/${list.id}/values`;
  const secret_value = 'x'.repeat(60_000);
  for (let i = 0; i < 300; i += 1) await change(scene, 'POST', path, { secret_key: `L${i}`, secret_value });
  const reading = server.request('GET', ALL, { token: scene.token });
  await nextTurn();
  await nextTurn();
  const event = { ...elsewhereEvent(scene.accountId), action: 'list.delete' as const };
  await elsewhere.lists.delete(scene.accountId, { id: list.id }, event);
  const { data } = JSON.parse((await reading).text) as { data: unknown[] };
  expect([0, 300]).toContain(data.length);
  await expectRead(scene, ALL, []);
});

test('a 304 opens nothing: it is given for a value that does not open', async () => {
  const first = await startTestServer();
  await first.request('POST', LISTS, { body: { name: 'list' } });
  await first.request('POST', `${LISTS}/list/values`, { body: { secret_key: 'K', secret_value: 'v' } });
  const { headers } = await first.request('GET', ALL);
  await first.close();
  const directory = first.config.dataDirectory;
  const database = new Database(join(directory, 'secret-manager.db'));
  database.exec('UPDATE secret_values SET sealed_value = zeroblob(40)');
  database.close();
  const second = await startTestServer({ SECRET_MANAGER_DATA_DIR: directory });
  const condition = { headers: { 'if-none-match': String(headers['etag']) } };
  for (const path of [ALL, `${LISTS}/list/values`, `${LISTS}/list/values/K`]) {
    expect([path, (await second.request('GET', path, condition)).status]).toEqual([path, 304]);
    expect([path, (await second.request('GET', path)).status]).toEqual([path, 500]);
  }
  await second.close();
});
