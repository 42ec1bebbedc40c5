// A change happens wholly or not at all: whatever fails, the row or the audit event, nothing of it stays.

import { expect, test } from 'vitest';
import type { Storage } from '../../../src/storage/storage.ts';
import {
  allValues,
  createList,
  createValue,
  eventOf,
  everythingOf,
  newApiKey,
  type Stage,
  sealed,
  UNWRITABLE_ACTOR,
  wrapDataKey,
} from './contract-stage.ts';

interface Scene extends Stage {
  readonly listId: number;
  readonly valueId: number;
  readonly keyId: number;
}

const LOST = { actor: UNWRITABLE_ACTOR };
const rename = () => ({ secretKey: 'RENAMED', ...sealed('new')() });

const CHANGES: Readonly<Record<string, (scene: Scene) => Promise<unknown>>> = {
  'creating a list': ({ storage, home }) => storage.lists.create(home, 'new', eventOf('list.create', LOST)),
  'renaming a list': ({ storage, home, listId }) =>
    storage.lists.rename(home, { id: listId }, 'new', eventOf('list.update', LOST)),
  'deleting a list': ({ storage, home, listId }) =>
    storage.lists.delete(home, { id: listId }, eventOf('list.delete', LOST)),
  'creating a value': ({ storage, home, listId }) =>
    storage.values.create(home, { id: listId }, 'NEW', sealed('new'), eventOf('value.create', LOST)),
  'updating a value': ({ storage, home, listId, valueId }) =>
    storage.values.update(home, { id: listId }, { id: valueId }, rename, eventOf('value.update', LOST)),
  'deleting a value': ({ storage, home, listId, valueId }) =>
    storage.values.delete(home, { id: listId }, { id: valueId }, eventOf('value.delete', LOST)),
  'creating an account': ({ storage }) => storage.accounts.create('new', wrapDataKey, eventOf('account.create', LOST)),
  'deleting an account': ({ storage, home }) => storage.accounts.delete({ id: home }, eventOf('account.delete', LOST)),
  'creating an API key': ({ storage, home }) => storage.apiKeys.create(newApiKey(home), eventOf('key.create', LOST)),
  'revoking an API key': ({ storage, keyId }) =>
    storage.apiKeys.revoke(keyId, ({ rowMac }) => rowMac, eventOf('key.revoke', LOST)),
};

export function atomicityContract(stage: () => Stage): void {
  test.each(Object.entries(CHANGES))('%s happens only together with its audit event', async (_, change) => {
    const scene = await prepareScene(stage());
    const before = await allOf(scene);
    await expect(change(scene)).rejects.toThrow();
    expect(await allOf(scene)).toEqual(before);
  });

  test('a callback that throws is told to the caller as it is, and nothing changed', async () => {
    const scene = await prepareScene(stage());
    const { storage, home, listId, valueId, keyId } = scene;
    const before = await allOf(scene);
    const failure = new RangeError('on purpose');
    const fail = () => {
      throw failure;
    };
    const inList = { id: listId };
    const failing = [
      () => storage.values.create(home, inList, 'NEW', fail, eventOf('value.create')),
      () => storage.values.update(home, inList, { id: valueId }, fail, eventOf('value.update')),
      () => storage.accounts.create('new', fail, eventOf('account.create')),
      () => storage.apiKeys.revoke(keyId, fail, eventOf('key.revoke')),
    ];
    for (const change of failing) await expect(change()).rejects.toBe(failure);
    expect(await allOf(scene)).toEqual(before);
    expect((await createValue(scene, listId, 'NEW')).version).toBe(1);
  });

  test('a change after a failed one, and those that waited behind it, are done', async () => {
    const { storage, home } = stage();
    await createList(stage(), 'taken');
    const names = ['a', 'taken', 'b', 'taken', 'c'];
    const outcomes = await Promise.allSettled(names.map((name) => createList(stage(), name)));
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    expect(await storage.lists.list(home)).toHaveLength(4);
  });

  test('what is read while changes wait is never half of one', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'list');
    const changes = Array.from({ length: 20 }, (_, i) => createValue(stage(), list.id, `KEY ${i}`));
    const deletion = storage.lists.delete(home, { id: list.id }, eventOf('list.delete'));
    const seen = new Set<number>();
    while (seen.size === 0 || (await storage.lists.find(home, { id: list.id })) !== undefined) {
      seen.add((await allValues(storage, home)).length);
      await new Promise(setImmediate);
    }
    await Promise.all([...changes, deletion]);
    expect(await allValues(storage, home)).toEqual([]);
  });
}

async function prepareScene(stage: Stage): Promise<Scene> {
  const list = await createList(stage, 'list');
  const value = await createValue(stage, list.id, 'KEY');
  const key = await stage.storage.apiKeys.create(newApiKey(stage.home), eventOf('key.create'));
  return { ...stage, listId: list.id, valueId: value.id, keyId: key.id };
}

async function allOf({ storage, home }: { storage: Storage; home: number }): Promise<unknown> {
  return { accounts: await storage.accounts.list(), home: await everythingOf(storage, home) };
}
