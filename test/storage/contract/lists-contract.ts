// The contract of ListsRepository.

import { expect, test } from 'vitest';
import { AlreadyTakenError } from '../../../src/domain/errors.ts';
import {
  allValues,
  createList,
  createValue,
  eventOf,
  type Stage,
  sealed,
  UNKNOWN_IDS,
  valuesOfList,
} from './contract-stage.ts';

export function listsContract(stage: () => Stage): void {
  test('a new account has none', async () => {
    const { storage, home } = stage();
    expect(await storage.lists.list(home)).toEqual([]);
  });

  test('a new list has the given name and the time of its event, and is found by id and by name', async () => {
    const { storage, home } = stage();
    const event = eventOf('list.create');
    const created = await storage.lists.create(home, 'production', event);
    expect(created).toEqual({
      id: expect.any(Number),
      name: 'production',
      createdAt: event.occurredAt,
      updatedAt: event.occurredAt,
    });
    expect(created.id).toBeGreaterThan(0);
    expect(await storage.lists.find(home, { id: created.id })).toEqual(created);
    expect(await storage.lists.find(home, { name: 'production' })).toEqual(created);
  });

  test('are listed by id, whatever their names and whichever changed last', async () => {
    const { storage, home } = stage();
    const ids: number[] = [];
    for (const name of ['m', 'z', 'a', 'Z', '0']) ids.push((await createList(stage(), name)).id);
    await storage.lists.rename(home, { id: ids[0] as number }, 'zz', eventOf('list.update'));
    const listed = await storage.lists.list(home);
    expect(listed.map(({ id }) => id)).toEqual(ids);
    expect(listed.map(({ name }) => name)).toEqual(['zz', 'z', 'a', 'Z', '0']);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
  });

  test('a deleted list is gone and its id is never given again', async () => {
    const { storage, home } = stage();
    const first = await createList(stage(), 'first');
    const second = await createList(stage(), 'second');
    expect(await storage.lists.delete(home, { id: second.id }, eventOf('list.delete'))).toBe(true);
    expect(await storage.lists.find(home, { id: second.id })).toBeUndefined();
    expect(await storage.lists.find(home, { name: 'second' })).toBeUndefined();
    expect(await storage.lists.list(home)).toEqual([first]);
    expect((await createList(stage(), 'second')).id).toBeGreaterThan(second.id);
  });

  test('are deleted by name too', async () => {
    const { storage, home } = stage();
    await createList(stage(), 'production');
    expect(await storage.lists.delete(home, { name: 'production' }, eventOf('list.delete'))).toBe(true);
    expect(await storage.lists.list(home)).toEqual([]);
  });

  test('a deleted list takes its values with it, and no others', async () => {
    const { storage, home } = stage();
    const doomed = await createList(stage(), 'doomed');
    const other = await createList(stage(), 'other');
    await createValue(stage(), doomed.id, 'A');
    await createValue(stage(), doomed.id, 'B');
    const kept = await createValue(stage(), other.id, 'C');
    await storage.lists.delete(home, { name: 'doomed' }, eventOf('list.delete'));
    expect(await allValues(storage, home)).toEqual([kept]);
    const again = await createValue(stage(), other.id, 'A');
    expect(again.version).toBe(1);
    expect(again.id).toBeGreaterThan(kept.id);
  });

  test('a renamed list keeps id, creation time and values, and is found by its new name alone', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'old');
    const value = await createValue(stage(), list.id, 'KEY');
    const event = eventOf('list.update');
    const renamed = await storage.lists.rename(home, { name: 'old' }, 'new', event);
    expect(renamed).toEqual({ ...list, name: 'new', updatedAt: event.occurredAt });
    expect(await storage.lists.find(home, { name: 'old' })).toBeUndefined();
    expect(await storage.lists.find(home, { name: 'new' })).toEqual(renamed);
    expect(await valuesOfList(storage, home, { id: list.id })).toEqual([value]);
  });

  test('renaming one to its own name succeeds', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'same');
    const renamed = await storage.lists.rename(home, { id: list.id }, 'same', eventOf('list.update'));
    expect(renamed).toMatchObject({ id: list.id, name: 'same', createdAt: list.createdAt });
  });

  test('a name is taken once in an account, for new and renamed ones', async () => {
    const { storage, home } = stage();
    const taken = await createList(stage(), 'taken');
    const other = await createList(stage(), 'other');
    await expect(createList(stage(), 'taken')).rejects.toMatchObject({ name: 'AlreadyTakenError', what: 'list-name' });
    await expect(storage.lists.rename(home, { id: other.id }, 'taken', eventOf('list.update'))).rejects.toMatchObject({
      name: 'AlreadyTakenError',
      what: 'list-name',
    });
    expect(await storage.lists.list(home)).toEqual([taken, other]);
  });

  test('a name is free again once its list is renamed or deleted', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'a');
    await storage.lists.rename(home, { id: list.id }, 'b', eventOf('list.update'));
    await createList(stage(), 'a');
    await storage.lists.delete(home, { name: 'b' }, eventOf('list.delete'));
    expect((await createList(stage(), 'b')).name).toBe('b');
  });

  test('two accounts have a list of the same name each, and neither sees the other', async () => {
    const { storage, home, stranger } = stage();
    const ours = await createList(stage(), 'shared');
    const theirs = await createList(stage(), 'shared', stranger);
    expect(theirs.id).not.toBe(ours.id);
    expect(await storage.lists.list(home)).toEqual([ours]);
    expect(await storage.lists.list(stranger)).toEqual([theirs]);
    expect(await storage.lists.find(stranger, { name: 'shared' })).toEqual(theirs);
  });

  test("another account's list is answered exactly like one that does not exist", async () => {
    const { storage, home, stranger } = stage();
    const ours = await createList(stage(), 'ours');
    await createValue(stage(), ours.id, 'KEY');
    const references = [{ id: ours.id }, { name: 'ours' }, { name: 'none' }, ...UNKNOWN_IDS.map((id) => ({ id }))];
    for (const list of references) {
      expect(await storage.lists.find(stranger, list)).toBeUndefined();
      expect(await storage.lists.rename(stranger, list, 'stolen', eventOf('list.update'))).toBeUndefined();
      expect(await storage.lists.delete(stranger, list, eventOf('list.delete'))).toBe(false);
      expect(await valuesOfList(storage, stranger, list)).toBeUndefined();
      const event = eventOf('value.create');
      expect(await storage.values.create(stranger, list, 'NEW', sealed('x'), event)).toBeUndefined();
    }
    expect(await storage.lists.list(home)).toEqual([ours]);
    expect(await storage.lists.list(stranger)).toEqual([]);
    expect(await allValues(storage, stranger)).toEqual([]);
  });

  test('an account that does not exist has none', async () => {
    const { storage } = stage();
    for (const accountId of UNKNOWN_IDS) {
      expect(await storage.lists.list(accountId)).toEqual([]);
      const refused = createList(stage(), 'list', accountId);
      await expect(refused).rejects.toMatchObject({ name: 'ApiError', code: 'unauthenticated' });
    }
  });

  test('of simultaneous creations of one name exactly one wins', async () => {
    const { storage, home } = stage();
    const outcomes = await Promise.allSettled(Array.from({ length: 40 }, () => createList(stage(), 'contested')));
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(lost).toHaveLength(39);
    for (const { reason } of lost) {
      expect(reason).toBeInstanceOf(AlreadyTakenError);
      expect(reason.what).toBe('list-name');
    }
    expect(await storage.lists.list(home)).toHaveLength(1);
  });

  test('of simultaneous renamings to one name exactly one wins', async () => {
    const { storage, home } = stage();
    const lists = await Promise.all(Array.from({ length: 20 }, (_, i) => createList(stage(), `list ${i}`)));
    const outcomes = await Promise.allSettled(
      lists.map(({ id }) => storage.lists.rename(home, { id }, 'contested', eventOf('list.update'))),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await storage.lists.list(home)).filter(({ name }) => name === 'contested')).toHaveLength(1);
  });
}
