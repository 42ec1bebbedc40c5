// The contract of ValuesRepository.

import { expect, test } from 'vitest';
import { AlreadyTakenError } from '../../../src/domain/errors.ts';
import type { SealedSecretValue } from '../../../src/domain/secrets.ts';
import type { NewValuePlace } from '../../../src/storage/storage.ts';
import {
  allValues,
  blobOf,
  createList,
  createValue,
  eventOf,
  type Stage,
  sealed,
  UNKNOWN_IDS,
  valuesOfList,
} from './contract-stage.ts';

export function valuesContract(stage: () => Stage): void {
  creating(stage);
  reading(stage);
  updating(stage);
  deleting(stage);
}

function creating(stage: () => Stage): void {
  test('a new value is sealed for exactly the place that it then has', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'list');
    const places: NewValuePlace[] = [];
    const seal = (place: NewValuePlace) => {
      places.push(place);
      return { sealedValue: blobOf('blob'), dataKeyVersion: 1 };
    };
    const event = eventOf('value.create');
    const created = await storage.values.create(home, { name: 'list' }, 'API_KEY', seal, event);
    const place = { id: created?.id as number, secretListId: list.id, secretKey: 'API_KEY', version: 1 };
    expect(places.at(-1)).toEqual(place);
    expect(created).toEqual({
      ...place,
      sealedValue: blobOf('blob'),
      dataKeyVersion: 1,
      createdAt: event.occurredAt,
      updatedAt: event.occurredAt,
    });
    expect(created?.id).toBeGreaterThan(0);
  });

  test('each of many simultaneous creations is sealed for its own id', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'list');
    const seal = (place: NewValuePlace) => ({ sealedValue: blobOf(JSON.stringify(place)), dataKeyVersion: 1 });
    await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        storage.values.create(home, { id: list.id }, `KEY ${i}`, seal, eventOf('value.create')),
      ),
    );
    const stored = await allValues(storage, home);
    expect(new Set(stored.map(({ id }) => id)).size).toBe(30);
    for (const { id, secretListId, secretKey, version, sealedValue } of stored) {
      const place = JSON.parse(Buffer.from(sealedValue).toString());
      expect(place).toEqual({ id, secretListId, secretKey, version });
    }
  });

  test('a key is taken once in an account, across all its lists', async () => {
    const { storage, home } = stage();
    const one = await createList(stage(), 'one');
    const two = await createList(stage(), 'two');
    const value = await createValue(stage(), one.id, 'KEY');
    for (const list of [one, two]) {
      const refused = createValue(stage(), list.id, 'KEY');
      await expect(refused).rejects.toMatchObject({ name: 'AlreadyTakenError', what: 'secret-key' });
    }
    expect(await allValues(storage, home)).toEqual([value]);
  });

  test('two accounts have the same key each, and neither sees the other', async () => {
    const { storage, home, stranger } = stage();
    const ours = await createValue(stage(), (await createList(stage(), 'list')).id, 'KEY', 'ours');
    const theirList = await createList(stage(), 'list', stranger);
    const theirs = await createValue(stage(), theirList.id, 'KEY', 'theirs', stranger);
    expect(await allValues(storage, home)).toEqual([ours]);
    expect(await allValues(storage, stranger)).toEqual([theirs]);
  });

  test('of simultaneous creations of one key exactly one wins', async () => {
    const { storage, home } = stage();
    const lists = [await createList(stage(), 'one'), await createList(stage(), 'two')];
    const outcomes = await Promise.allSettled(
      Array.from({ length: 40 }, (_, i) => createValue(stage(), lists[i % 2]?.id as number, 'CONTESTED')),
    );
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(lost).toHaveLength(39);
    for (const { reason } of lost) {
      expect(reason).toBeInstanceOf(AlreadyTakenError);
      expect(reason.what).toBe('secret-key');
    }
    expect(await allValues(storage, home)).toHaveLength(1);
  });

  test('nothing is sealed for a list that does not exist', async () => {
    const { storage, home } = stage();
    let calls = 0;
    const seal = () => {
      calls += 1;
      return sealed('x')();
    };
    expect(await storage.values.create(home, { name: 'none' }, 'KEY', seal, eventOf('value.create'))).toBeUndefined();
    expect(calls).toBe(0);
  });
}

function reading(stage: () => Stage): void {
  test('are listed by id, whatever their keys and whichever changed last', async () => {
    const { storage, home } = stage();
    const one = await createList(stage(), 'one');
    const two = await createList(stage(), 'two');
    const ids: number[] = [];
    for (const [key, list] of [
      ['m', two],
      ['z', one],
      ['a', two],
      ['Z', one],
      ['0', two],
    ] as const) {
      ids.push((await createValue(stage(), list.id, key)).id);
    }
    await storage.values.update(home, { id: two.id }, { name: 'm' }, rekeyed('zz'), eventOf('value.update'));
    const keysOf = (values: SealedSecretValue[] | undefined) => values?.map(({ secretKey }) => secretKey);
    expect((await allValues(storage, home)).map(({ id }) => id)).toEqual(ids);
    expect(keysOf(await allValues(storage, home))).toEqual(['zz', 'z', 'a', 'Z', '0']);
    expect(keysOf(await valuesOfList(storage, home, { id: two.id }))).toEqual(['zz', 'a', '0']);
    expect(keysOf(await valuesOfList(storage, home, { name: 'one' }))).toEqual(['z', 'Z']);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
  });

  test('an empty list has an empty array, a missing list none at all', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'empty');
    expect(await valuesOfList(storage, home, { id: list.id })).toEqual([]);
    expect(await valuesOfList(storage, home, { id: list.id + 1 })).toBeUndefined();
    expect(await valuesOfList(storage, home, { name: 'none' })).toBeUndefined();
  });

  test('are found by id and by key, in a list named either way', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'list');
    const value = await createValue(stage(), list.id, 'KEY');
    for (const inList of [{ id: list.id }, { name: 'list' }]) {
      expect(await storage.values.find(home, inList, { id: value.id })).toEqual(value);
      expect(await storage.values.find(home, inList, { name: 'KEY' })).toEqual(value);
    }
  });

  test('in another list, in another account or nowhere is one and the same to every method', async () => {
    const { storage, home, stranger } = stage();
    const list = await createList(stage(), 'list');
    const other = await createList(stage(), 'other');
    const value = await createValue(stage(), list.id, 'KEY');
    const theirList = await createList(stage(), 'list', stranger);
    const misses = [
      [home, { id: other.id }, { id: value.id }],
      [home, { name: 'other' }, { name: 'KEY' }],
      [home, { id: list.id }, { name: 'NONE' }],
      [home, { name: 'none' }, { id: value.id }],
      [stranger, { id: list.id }, { id: value.id }],
      [stranger, { name: 'list' }, { name: 'KEY' }],
      [stranger, { id: theirList.id }, { id: value.id }],
      ...UNKNOWN_IDS.map((id) => [home, { id: list.id }, { id }] as const),
      ...UNKNOWN_IDS.map((id) => [home, { id }, { id: value.id }] as const),
    ] as const;
    for (const [accountId, inList, reference] of misses) {
      const { values } = storage;
      expect(await values.find(accountId, inList, reference)).toBeUndefined();
      expect(await values.update(accountId, inList, reference, unexpected, eventOf('value.update'))).toBeUndefined();
      expect(await values.delete(accountId, inList, reference, eventOf('value.delete'))).toBe(false);
    }
    expect(await allValues(storage, home)).toEqual([value]);
  });
}

function updating(stage: () => Stage): void {
  test('an update sees the current row, and the next one has what it returned and a version more', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'list');
    let current = await createValue(stage(), list.id, 'KEY', 'first');
    for (const content of ['second', 'third']) {
      const seen: SealedSecretValue[] = [];
      const reseal = (row: SealedSecretValue) => {
        seen.push(row);
        return { secretKey: row.secretKey, ...sealed(content)() };
      };
      const event = eventOf('value.update');
      const updated = await storage.values.update(home, { id: list.id }, { id: current.id }, reseal, event);
      expect(seen.at(-1)).toEqual(current);
      expect(updated).toEqual({
        ...current,
        sealedValue: blobOf(content),
        version: current.version + 1,
        updatedAt: event.occurredAt,
      });
      expect(await storage.values.find(home, { id: list.id }, { name: 'KEY' })).toEqual(updated);
      current = updated as SealedSecretValue;
    }
    expect(current.version).toBe(3);
  });

  test('many simultaneous updates each see the version before theirs', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'list');
    const value = await createValue(stage(), list.id, 'KEY', 'version 1');
    const reseal = (row: SealedSecretValue) => {
      expect(Buffer.from(row.sealedValue).toString()).toBe(`version ${row.version}`);
      return { secretKey: row.secretKey, ...sealed(`version ${row.version + 1}`)() };
    };
    await Promise.all(
      Array.from({ length: 20 }, () =>
        storage.values.update(home, { id: list.id }, { id: value.id }, reseal, eventOf('value.update')),
      ),
    );
    expect((await storage.values.find(home, { id: list.id }, { id: value.id }))?.version).toBe(21);
  });

  test('an update to its own key succeeds, to a free one renames, to a taken one changes nothing', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'list');
    const { id } = await createValue(stage(), list.id, 'KEY');
    await createValue(stage(), list.id, 'TAKEN');
    const update = (secretKey: string) =>
      storage.values.update(home, { id: list.id }, { id }, rekeyed(secretKey), eventOf('value.update'));
    expect(await update('KEY')).toMatchObject({ id, secretKey: 'KEY', version: 2 });
    const renamed = await update('FREE');
    expect(renamed).toMatchObject({ id, secretKey: 'FREE', version: 3 });
    await expect(update('TAKEN')).rejects.toMatchObject({ name: 'AlreadyTakenError', what: 'secret-key' });
    expect(await storage.values.find(home, { id: list.id }, { name: 'FREE' })).toEqual(renamed);
    expect(await storage.values.find(home, { id: list.id }, { name: 'KEY' })).toBeUndefined();
  });

  test('an update changes its own row alone', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'list');
    const first = await createValue(stage(), list.id, 'FIRST');
    const second = await createValue(stage(), list.id, 'SECOND');
    const third = await createValue(stage(), list.id, 'THIRD');
    await storage.values.update(home, { id: list.id }, { id: second.id }, rekeyed('OTHER'), eventOf('value.update'));
    expect(await storage.values.find(home, { id: list.id }, { id: first.id })).toEqual(first);
    expect(await storage.values.find(home, { id: list.id }, { id: third.id })).toEqual(third);
    expect((await storage.lists.find(home, { id: list.id }))?.updatedAt).toBe(list.updatedAt);
  });
}

function deleting(stage: () => Stage): void {
  test('a deleted value is gone, its key is free, and its id is never given again', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'list');
    const first = await createValue(stage(), list.id, 'FIRST');
    const last = await createValue(stage(), list.id, 'LAST');
    expect(await storage.values.delete(home, { id: list.id }, { name: 'LAST' }, eventOf('value.delete'))).toBe(true);
    expect(await storage.values.delete(home, { id: list.id }, { id: last.id }, eventOf('value.delete'))).toBe(false);
    expect(await storage.values.find(home, { id: list.id }, { id: last.id })).toBeUndefined();
    expect(await allValues(storage, home)).toEqual([first]);
    const again = await createValue(stage(), list.id, 'LAST');
    expect(again.id).toBeGreaterThan(last.id);
    expect(again.version).toBe(1);
  });
}

function rekeyed(secretKey: string) {
  return () => ({ secretKey, ...sealed('resealed')() });
}

function unexpected(): never {
  throw new Error('nothing is to be sealed here');
}
