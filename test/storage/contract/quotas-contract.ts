// What an account may hold: refused in the creating transaction, and counted through every way that things come and go.

import { expect, test } from 'vitest';
import type { Instance, SealedTemplate } from '../../../src/domain/instances.ts';
import type { Engine } from '../engines.ts';
import {
  createList,
  createValue,
  eventOf,
  everythingOf,
  prepareStage,
  type Stage,
  UNKNOWN_IDS,
  valuesOfList,
} from './contract-stage.ts';

const QUOTAS = { lists: 3, values: 5, instances: 2 };

export function quotasContract(engine: Engine): void {
  /** Closed when the test is over. */
  async function withStage(work: (stage: Stage) => Promise<void>): Promise<void> {
    const stage = await prepareStage(engine, QUOTAS);
    try {
      await work(stage);
    } finally {
      await stage.storage.close();
    }
  }

  function reached(what: keyof typeof QUOTAS) {
    return { name: 'QuotaReachedError', what, limit: QUOTAS[what] };
  }

  async function fillLists(stage: Stage, accountId = stage.home): Promise<number[]> {
    const ids: number[] = [];
    for (let i = 0; i < QUOTAS.lists; i += 1) ids.push((await createList(stage, `list ${i}`, accountId)).id);
    await expect(createList(stage, 'one more', accountId)).rejects.toMatchObject(reached('lists'));
    return ids;
  }

  async function fillValues(stage: Stage, lists: readonly number[]): Promise<void> {
    for (let i = 0; i < QUOTAS.values; i += 1) await createValue(stage, lists[i % lists.length] as number, `KEY ${i}`);
    await expect(createValue(stage, lists[0] as number, 'ONE MORE')).rejects.toMatchObject(reached('values'));
  }

  function createInstance({ storage, home }: Stage, name: string): Promise<Instance> {
    const identity = { accountId: home, instanceId: name, hostname: name, expiresInSeconds: null, sourceCidr: null };
    const sealedTemplate = Buffer.from('sealed') as Uint8Array as SealedTemplate;
    const seal = () => ({ sealedTemplate, dataKeyVersion: 1 });
    return storage.instances.create(
      { ...identity, tokenHash: Buffer.from(`token of ${name}`) },
      seal,
      eventOf('instance.create'),
    );
  }

  test('lists, values and instances are taken up to the limit, and nothing of what is refused stays', () =>
    withStage(async (stage) => {
      await fillValues(stage, await fillLists(stage));
      for (const name of ['one', 'two']) await createInstance(stage, name);
      const before = await everythingOf(stage.storage, stage.home);
      await expect(createInstance(stage, 'three')).rejects.toMatchObject(reached('instances'));
      await expect(createList(stage, 'list 0')).rejects.toMatchObject(reached('lists'));
      const [list] = await stage.storage.lists.list(stage.home);
      await expect(createValue(stage, list?.id ?? 0, 'KEY 0')).rejects.toMatchObject(reached('values'));
      expect(await everythingOf(stage.storage, stage.home)).toEqual(before);
    }));

  test('each account has limits of its own', () =>
    withStage(async (stage) => {
      await fillLists(stage);
      await fillLists(stage, stage.stranger);
    }));

  test('changing and renaming what is there needs no room', () =>
    withStage(async (stage) => {
      const { storage, home } = stage;
      const lists = await fillLists(stage);
      await fillValues(stage, lists);
      const list = { id: lists[0] as number };
      expect(await storage.lists.rename(home, list, 'renamed', eventOf('list.update'))).toBeDefined();
      const reseal = ({ sealedValue }: { sealedValue: never }) => ({
        secretKey: 'RENAMED',
        sealedValue,
        dataKeyVersion: 1,
      });
      const event = eventOf('value.update');
      expect(await storage.values.update(home, list, { name: 'KEY 0' }, reseal as never, event)).toBeDefined();
      await expect(createList(stage, 'one more')).rejects.toMatchObject(reached('lists'));
    }));

  test('what is deleted makes room for as much, and not for more', () =>
    withStage(async (stage) => {
      const { storage, home } = stage;
      const lists = await fillLists(stage);
      await fillValues(stage, lists);
      await storage.values.delete(home, { id: lists[0] as number }, { name: 'KEY 0' }, eventOf('value.delete'));
      await createValue(stage, lists[1] as number, 'NEW');
      await expect(createValue(stage, lists[1] as number, 'ONE MORE')).rejects.toMatchObject(reached('values'));
    }));

  test('a deleted list makes room for itself and for each of its values', () =>
    withStage(async (stage) => {
      const { storage, home } = stage;
      const lists = await fillLists(stage);
      await fillValues(stage, lists);
      const inFirst = (await valuesOfList(storage, home, { id: lists[0] as number }))?.length ?? 0;
      expect(inFirst).toBeGreaterThan(1);
      await storage.lists.delete(home, { id: lists[0] as number }, eventOf('list.delete'));
      await createList(stage, 'new');
      await expect(createList(stage, 'one more')).rejects.toMatchObject(reached('lists'));
      for (let i = 0; i < inFirst; i += 1) await createValue(stage, lists[1] as number, `NEW ${i}`);
      await expect(createValue(stage, lists[1] as number, 'ONE MORE')).rejects.toMatchObject(reached('values'));
    }));

  test('a deleted instance makes room, though its tombstone stays', () =>
    withStage(async (stage) => {
      const { storage, home } = stage;
      const first = await createInstance(stage, 'one');
      await createInstance(stage, 'two');
      await storage.instances.close(first.id, 'phone-home', null, eventOf('seed.phone-home'));
      await expect(createInstance(stage, 'three')).rejects.toMatchObject(reached('instances'));
      await storage.instances.delete(home, { id: first.id }, eventOf('instance.delete'));
      await storage.instances.delete(home, { id: first.id }, eventOf('instance.delete'));
      await createInstance(stage, 'three');
      await expect(createInstance(stage, 'four')).rejects.toMatchObject(reached('instances'));
    }));

  test('what could not be created takes no room', () =>
    withStage(async (stage) => {
      const { storage, home } = stage;
      const { id } = await createList(stage, 'taken');
      for (let i = 0; i < 10; i += 1) {
        await expect(createList(stage, 'taken')).rejects.toMatchObject({ what: 'list-name' });
        const unwritable = eventOf('list.create', { actor: null as never });
        await expect(storage.lists.create(home, 'unrecorded', unwritable)).rejects.toThrow();
        const fail = () => {
          throw new RangeError('on purpose');
        };
        await expect(storage.values.create(home, { id }, 'K', fail, eventOf('value.create'))).rejects.toThrow(
          RangeError,
        );
      }
      await createList(stage, 'second');
      await createList(stage, 'third');
      await fillValues(stage, [id]);
    }));

  test('an account that was deleted and made anew is empty', () =>
    withStage(async (stage) => {
      const { storage, home } = stage;
      await fillValues(stage, await fillLists(stage));
      await storage.accounts.delete({ id: home }, eventOf('account.delete'));
      for (const id of [home, ...UNKNOWN_IDS]) {
        await expect(createList(stage, 'list', id)).rejects.toMatchObject({ code: 'unauthenticated' });
      }
      await fillLists(stage, stage.stranger);
    }));

  test('of simultaneous creations exactly as many succeed as fit', () =>
    withStage(async (stage) => {
      const lists = await Promise.allSettled(Array.from({ length: 40 }, (_, i) => createList(stage, `list ${i}`)));
      expect(lists.filter(({ status }) => status === 'fulfilled')).toHaveLength(QUOTAS.lists);
      const id = (await stage.storage.lists.list(stage.home))[0]?.id ?? 0;
      const values = await Promise.allSettled(Array.from({ length: 40 }, (_, i) => createValue(stage, id, `KEY ${i}`)));
      expect(values.filter(({ status }) => status === 'fulfilled')).toHaveLength(QUOTAS.values);
    }));
}
