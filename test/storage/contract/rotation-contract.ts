// The contract of KeyRotationRepository: keys change under what they hold, in steps, each with what it promises.

import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { StaleDataKeyError } from '../../../src/domain/errors.ts';
import type { SealedTemplate } from '../../../src/domain/instances.ts';
import type { StoredWrappedKey } from '../../../src/storage/key-rotation.ts';
import {
  allValues,
  auditOf,
  blobOf,
  createList,
  createValue,
  eventOf,
  everythingOf,
  ROOT_KEY_FINGERPRINT as OLD,
  type Stage,
  sealed,
  UNKNOWN_IDS,
  UNWRITABLE_ACTOR,
  wrapDataKey,
} from './contract-stage.ts';

const NEW = 'fedcba9876543210';
const AT = '2026-06-01T00:00:00.000Z';
const rotated = () => eventOf('root-key.rotate', { actor: 'command-line', accountId: null });
const newKey = (accountId = 1) => eventOf('data-key.rotate', { actor: 'command-line', accountId });
const wrapAgain = (key: StoredWrappedKey) => Buffer.concat([Buffer.from('again '), key.wrappedKey]);
const templateOf = (content: string) => Buffer.from(content) as Uint8Array as SealedTemplate;

export function rotationContract(stage: () => Stage): void {
  rootKeys(stage);
  addingDataKeys(stage);
  sealingUnderTheCurrentOne(stage);
  resealing(stage);
}

function rootKeys(stage: () => Stage): void {
  test('the root key of the first start is at hand, wraps everything, and every wrap is counted', async () => {
    const { storage } = stage();
    const [only, ...others] = await storage.rotation.listRootKeys();
    expect(only).toMatchObject({ fingerprint: OLD, isAtHand: true, wraps: 5, wrappedKeys: 5 });
    expect(others).toEqual([]);
    expect(await storage.rotation.listRootKeysNotAtHand()).toEqual([]);
  });

  test('an announced root key wraps nothing until the server has it', async () => {
    const { storage, home } = stage();
    await storage.rotation.registerRootKey(NEW, AT);
    expect(await storage.rotation.listRootKeysNotAtHand()).toEqual([NEW]);
    expect(await storage.rotation.rewrap(NEW, 10, wrapAgain, rotated())).toBeUndefined();
    const wrapNew = () => ({ rootKeyFingerprint: NEW, wrappedKey: randomBytes(61) });
    const refused = [
      storage.accounts.create('new', wrapNew, eventOf('account.create')),
      storage.rotation.addDataKey(home, 1, wrapNew, newKey(home)),
    ];
    for (const each of refused) await expect(each).rejects.toMatchObject({ kind: 'refused' });
    expect(await storage.keys.listRootKeyFingerprints()).toEqual([OLD]);

    expect(await storage.rotation.holdRootKeys([NEW, OLD], AT)).toEqual([]);
    expect(await storage.rotation.listRootKeysNotAtHand()).toEqual([]);
    expect(await storage.rotation.rewrap(NEW, 10, wrapAgain, rotated())).toBe(5);
  });

  test('of what a server has the first is registered; it must have all that wrap something', async () => {
    const { storage } = stage();
    const before = await storage.rotation.listRootKeys();
    expect(await storage.rotation.holdRootKeys([NEW], AT)).toEqual([OLD]);
    expect(await storage.rotation.listRootKeys()).toEqual(before);
    expect(await storage.rotation.holdRootKeys([OLD, NEW], AT)).toEqual([]);
    expect(await storage.rotation.listRootKeys()).toEqual(before);
    expect(await storage.rotation.holdRootKeys([NEW, OLD], AT)).toEqual([]);
    expect(await storage.rotation.listRootKeys()).toContainEqual({
      fingerprint: NEW,
      createdAt: AT,
      isAtHand: true,
      wraps: 0,
      wrappedKeys: 0,
    });
    expect(await storage.rotation.holdRootKeys([OLD], AT)).toEqual([]);
    expect(await storage.rotation.listRootKeysNotAtHand()).toEqual([NEW]);
  });

  test('everything is wrapped again in steps, each with its event, and nothing twice', async () => {
    const { storage, home } = stage();
    await storage.rotation.holdRootKeys([NEW, OLD], AT);
    const step = () => storage.rotation.rewrap(NEW, 3, wrapAgain, rotated());
    const events = await auditOf(storage, async () =>
      expect([await step(), await step(), await step()]).toEqual([3, 2, 0]),
    );
    const target = { kind: 'root-key', id: 0xfedcba987654, parentId: null };
    expect(events).toHaveLength(2);
    for (const event of events)
      expect(event).toMatchObject({ action: 'root-key.rotate', actor: 'command-line', target });
    const dataKeys = (await storage.keys.findDataKeys(home))?.dataKeys;
    expect(dataKeys?.[0]?.rootKeyFingerprint).toBe(NEW);
    expect(Buffer.from(dataKeys?.[0]?.wrappedKey ?? []).toString('latin1')).toMatch(/^again account/);
    expect((await storage.keys.findSystemKeys())?.['api-key-rows'].rootKeyFingerprint).toBe(NEW);
    expect(await storage.keys.listRootKeyFingerprints()).toEqual([NEW]);
    expect(await storage.rotation.listRootKeys()).toMatchObject([
      { fingerprint: OLD, wrappedKeys: 0, wraps: 5 },
      { fingerprint: NEW, wrappedKeys: 5, wraps: 5 },
    ]);
  });

  test('a step that fails, or whose event cannot be written, changes nothing', async () => {
    const { storage } = stage();
    await storage.rotation.holdRootKeys([NEW, OLD], AT);
    const before = await storage.rotation.listRootKeys();
    const failure = new RangeError('on purpose');
    const fail = () => {
      throw failure;
    };
    await expect(storage.rotation.rewrap(NEW, 3, fail, rotated())).rejects.toBe(failure);
    const lost = { ...rotated(), actor: UNWRITABLE_ACTOR };
    await expect(storage.rotation.rewrap(NEW, 3, wrapAgain, lost)).rejects.toThrow();
    await storage.rotation.holdRootKeys([OLD, NEW], AT);
    expect(await storage.rotation.listRootKeys()).toEqual(before);
  });

  test('a root key is dropped when it wraps nothing, with its event', async () => {
    const { storage } = stage();
    await storage.rotation.holdRootKeys([NEW, OLD], AT);
    const drop = (fingerprint: string) => storage.rotation.dropRootKey(fingerprint, eventOf('root-key.drop'));
    await storage.rotation.rewrap(NEW, 3, wrapAgain, rotated());
    expect(await auditOf(storage, async () => expect(await drop(OLD)).toBe('in use'))).toEqual([]);
    await storage.rotation.rewrap(NEW, 3, wrapAgain, rotated());
    const events = await auditOf(storage, async () => expect(await drop(OLD)).toBe('dropped'));
    const target = { kind: 'root-key', id: 0x0123456789ab, parentId: null };
    expect(events).toMatchObject([{ action: 'root-key.drop', target }]);
    expect(await storage.rotation.listRootKeys()).toMatchObject([{ fingerprint: NEW }]);
    expect(await auditOf(storage, async () => expect(await drop(OLD)).toBe('unknown'))).toEqual([]);
  });
}

function addingDataKeys(stage: () => Stage): void {
  test('a new data key is the next version and the current one, wrapped for it, with its event', async () => {
    const { storage, home } = stage();
    const versions: number[] = [];
    const wrap = (version: number) => {
      versions.push(version);
      return wrapDataKey(home);
    };
    const events = await auditOf(storage, () => storage.rotation.addDataKey(home, 1, wrap, newKey(home)));
    expect(versions).toEqual([2]);
    expect(events).toMatchObject([
      { action: 'data-key.rotate', accountId: home, target: { kind: 'data-key', id: 2, parentId: home } },
    ]);
    expect(await storage.keys.findDataKeys(home)).toMatchObject({
      currentVersion: 2,
      dataKeys: [{ version: 1 }, { version: 2 }],
    });
    expect((await storage.rotation.listRootKeys())[0]?.wraps).toBe(6);
  });

  test('of many that replace the same one, one is made', async () => {
    const { storage, home, stranger } = stage();
    const add = () => storage.rotation.addDataKey(home, 1, () => wrapDataKey(home), newKey(home));
    const events = await auditOf(storage, async () => {
      expect(await Promise.all([add(), add(), add()])).toEqual([true, true, true]);
    });
    expect(events).toHaveLength(1);
    expect(await storage.rotation.listDataKeys(home)).toHaveLength(2);
    expect(await storage.rotation.listDataKeys(stranger)).toHaveLength(1);
    expect(await storage.rotation.listDataKeys(undefined)).toHaveLength(3);
  });

  test('an account that is not there gets none, and an event that cannot be written means none', async () => {
    const { storage, home } = stage();
    for (const id of UNKNOWN_IDS) {
      expect(await storage.rotation.addDataKey(id, 1, () => wrapDataKey(id), newKey(id))).toBe(false);
      expect(await storage.rotation.listDataKeys(id)).toEqual([]);
    }
    const before = await everythingOf(storage, home);
    const lost = { ...newKey(home), actor: UNWRITABLE_ACTOR };
    await expect(storage.rotation.addDataKey(home, 1, () => wrapDataKey(home), lost)).rejects.toThrow();
    expect(await everythingOf(storage, home)).toEqual(before);
  });
}

function sealingUnderTheCurrentOne(stage: () => Stage): void {
  test('every seal is counted, and a seal under a key that was superseded is refused with a signal', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'list');
    const value = await createValue(stage(), list.id, 'KEY');
    const change = () => ({ secretKey: 'KEY', ...sealed('new')() });
    const update = () =>
      storage.values.update(home, { id: list.id }, { id: value.id }, change, eventOf('value.update'));
    await update();
    const row = { accountId: home, instanceId: 'a', hostname: 'h', expiresInSeconds: null, sourceCidr: null };
    const instance = (dataKeyVersion: number) =>
      storage.instances.create(
        { ...row, tokenHash: randomBytes(32) },
        () => ({ sealedTemplate: templateOf('t'), dataKeyVersion }),
        eventOf('instance.create'),
      );
    await instance(1);
    expect(await storage.rotation.listDataKeys(home)).toMatchObject([
      { version: 1, seals: 3, values: 1, instances: 1 },
    ]);

    await storage.rotation.addDataKey(home, 1, () => wrapDataKey(home), newKey(home));
    const before = await everythingOf(storage, home);
    for (const stale of [() => createValue(stage(), list.id, 'OTHER'), update, () => instance(1)]) {
      const refused = stale();
      await expect(refused).rejects.toBeInstanceOf(StaleDataKeyError);
      await expect(refused).rejects.toMatchObject({ reason: 'superseded' });
    }
    expect(await everythingOf(storage, home)).toEqual(before);
  });
}

function resealing(stage: () => Stage): void {
  const again = (content: Uint8Array) => blobOf(Buffer.concat([Buffer.from('again '), content]));

  async function prepare(count: number, bytes = 10): Promise<number[]> {
    const { storage, home } = stage();
    const list = await createList(stage(), 'list');
    const ids: number[] = [];
    for (let i = 0; i < count; i += 1)
      ids.push((await createValue(stage(), list.id, `KEY ${i}`, randomBytes(bytes))).id);
    await storage.rotation.addDataKey(home, 1, () => wrapDataKey(home), newKey(home));
    return ids;
  }

  test('goes by id in bounded steps; versions, times and what else a value is stay, the audit trail too', async () => {
    const { storage, home } = stage();
    const ids = await prepare(230);
    const before = await allValues(storage, home);
    const seen: number[] = [];
    const events = await auditOf(storage, async () => {
      let afterId: number | undefined = 0;
      for (let steps = 0; afterId !== undefined; steps += 1) {
        expect(steps).toBeLessThan(10);
        const done = await storage.rotation.resealValues({ accountId: home, from: 1, to: 2, afterId }, (value) => {
          seen.push(value.id);
          return again(value.sealedValue);
        });
        expect(done.resealed).toBeLessThanOrEqual(100);
        afterId = done.lastId;
      }
    });
    expect(seen).toEqual(ids);
    expect(events).toEqual([]);
    const after = await allValues(storage, home);
    expect(after).toEqual(
      before.map((value) => ({ ...value, dataKeyVersion: 2, sealedValue: again(value.sealedValue) })),
    );
    expect(await storage.rotation.listDataKeys(home)).toMatchObject([
      { version: 1, values: 0, isCurrent: false },
      { version: 2, values: 230, seals: 230, isCurrent: true },
    ]);
  });

  test('takes few large ones in a step, and one at least', async () => {
    const { storage, home } = stage();
    await prepare(3, 900_000);
    const done = await storage.rotation.resealValues(
      { accountId: home, from: 1, to: 2, afterId: 0 },
      (value) => value.sealedValue,
    );
    expect(done.resealed).toBe(1);
  });

  test('leaves what does not open, and goes on behind it', async () => {
    const { storage, home } = stage();
    const [first, second, third] = await prepare(3);
    const step = { accountId: home, from: 1, to: 2, afterId: 0 };
    const done = await storage.rotation.resealValues(step, (value) =>
      value.id === second ? undefined : again(value.sealedValue),
    );
    expect(done).toEqual({ resealed: 2, broken: 1, lastId: third });
    const versions = (await allValues(storage, home)).map(({ id, dataKeyVersion }) => [id, dataKeyVersion]);
    expect(versions).toEqual([
      [first, 2],
      [second, 1],
      [third, 2],
    ]);
    expect(await storage.rotation.deleteUnusedDataKeys(home)).toEqual([]);
  });

  test('is refused under a version that is not the current one, and changes nothing', async () => {
    const { storage, home } = stage();
    await prepare(3);
    await storage.rotation.addDataKey(home, 2, () => wrapDataKey(home), newKey(home));
    const before = await everythingOf(storage, home);
    const step = { accountId: home, from: 1, to: 2, afterId: 0 };
    const refused = storage.rotation.resealValues(step, (value) => again(value.sealedValue));
    await expect(refused).rejects.toBeInstanceOf(StaleDataKeyError);
    expect(await everythingOf(storage, home)).toEqual(before);
  });

  test('covers templates; a deleted instance has none and lets go of the old key; then the old key can go', async () => {
    const { storage, home } = stage();
    const row = { accountId: home, hostname: 'h', expiresInSeconds: 5, sourceCidr: '192.0.2.0/24' };
    const newInstance = (instanceId: string) =>
      storage.instances.create(
        { ...row, instanceId, tokenHash: randomBytes(32) },
        () => ({ sealedTemplate: templateOf(instanceId), dataKeyVersion: 1 }),
        eventOf('instance.create'),
      );
    const kept = await newInstance('kept');
    const gone = await newInstance('gone');
    await storage.instances.delete(home, { id: gone.id }, eventOf('instance.delete'));
    await storage.rotation.addDataKey(home, 1, () => wrapDataKey(home), newKey(home));
    expect(await storage.rotation.deleteUnusedDataKeys(home)).toEqual([]);

    const sealedFor: unknown[] = [];
    const done = await storage.rotation.resealTemplates({ accountId: home, from: 1, to: 2, afterId: 0 }, (template) => {
      sealedFor.push(template);
      return templateOf('again');
    });
    expect(done).toEqual({ resealed: 1, broken: 0, lastId: gone.id });
    expect(sealedFor).toEqual([
      { ...row, id: kept.id, instanceId: 'kept', dataKeyVersion: 1, sealedTemplate: templateOf('kept') },
    ]);
    expect(await storage.instances.find(home, { id: kept.id })).toMatchObject({
      ...kept,
      dataKeyVersion: 2,
      sealedTemplate: templateOf('again'),
    });
    expect(await storage.rotation.deleteUnusedDataKeys(home)).toEqual([1]);
    expect(await storage.rotation.deleteUnusedDataKeys(home)).toEqual([]);
    expect(await storage.keys.findDataKeys(home)).toMatchObject({ currentVersion: 2, dataKeys: [{ version: 2 }] });
  });
}
