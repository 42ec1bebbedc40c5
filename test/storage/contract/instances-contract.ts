// The contract of InstancesRepository: instances, what closes and opens their seeds, and the ledger of what they hold.

import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { AlreadyTakenError } from '../../../src/domain/errors.ts';
import type { Instance, SealedTemplate } from '../../../src/domain/instances.ts';
import type { NewInstance } from '../../../src/storage/storage.ts';
import {
  auditOf,
  createList,
  createValue,
  eventOf,
  hex,
  type Stage,
  sealed,
  UNKNOWN_IDS,
  UNWRITABLE_ACTOR,
} from './contract-stage.ts';

const templateOf = (content: string) => Buffer.from(content) as Uint8Array as SealedTemplate;
const seal = () => ({ sealedTemplate: templateOf('template'), dataKeyVersion: 1 });

function newInstance(accountId: number, changes: Partial<NewInstance> = {}): NewInstance {
  return {
    accountId,
    instanceId: 'web-1',
    hostname: 'web.example',
    expiresInSeconds: null,
    sourceCidr: null,
    tokenHash: randomBytes(32),
    ...changes,
  };
}

function create({ storage, home }: Stage, changes: Partial<NewInstance> = {}): Promise<Instance> {
  return storage.instances.create(newInstance(home, changes), seal, eventOf('instance.create'));
}

export function instancesContract(stage: () => Stage): void {
  creating(stage);
  reading(stage);
  closing(stage);
  keepingTheLedger(stage);
  alwaysWithTheirEvents(stage);
}

function creating(stage: () => Stage): void {
  test('a new instance is sealed for the id that it then has, and has never been fetched', async () => {
    const { storage, home } = stage();
    const ids: number[] = [];
    const sealFor = (id: number) => ({ sealedTemplate: templateOf(`for ${ids.push(id) && id}`), dataKeyVersion: 1 });
    const event = eventOf('instance.create');
    const given = newInstance(home, { expiresInSeconds: 60, sourceCidr: '192.0.2.0/24' });
    const created = await storage.instances.create(given, sealFor, event);
    expect(created).toEqual({
      id: ids[0],
      accountId: home,
      instanceId: 'web-1',
      hostname: 'web.example',
      expiresInSeconds: 60,
      sourceCidr: '192.0.2.0/24',
      createdAt: event.occurredAt,
      firstFetchedAt: null,
      lastFetchedAt: null,
      closedAt: null,
      closedReason: null,
      phoneHome: null,
    });
    const found = await storage.instances.find(home, { id: created.id });
    expect(found).toMatchObject({ ...created, dataKeyVersion: 1 });
    expect(hex(found?.sealedTemplate ?? undefined)).toBe(hex(templateOf(`for ${created.id}`)));
    expect(ids).toHaveLength(1);
  });

  test('an instance id is taken once in an account, case-sensitive, and is free again after a deletion', async () => {
    const { storage, home, stranger } = stage();
    const first = await create(stage());
    const before = await storage.instances.list(home);
    await expect(create(stage())).rejects.toMatchObject({ constructor: AlreadyTakenError, what: 'instance-id' });
    expect(await storage.instances.list(home)).toEqual(before);
    await create(stage(), { instanceId: 'WEB-1' });
    await create(stage(), { accountId: stranger });
    await storage.instances.delete(home, { id: first.id }, eventOf('instance.delete'));
    expect((await create(stage())).id).toBeGreaterThan(first.id);
  });

  test('a token belongs to one instance, of any account and even after its deletion', async () => {
    const { storage, home, stranger } = stage();
    const tokenHash = randomBytes(32);
    const { id } = await create(stage(), { tokenHash });
    await storage.instances.delete(home, { id }, eventOf('instance.delete'));
    await expect(create(stage(), { tokenHash, accountId: stranger })).rejects.toThrow();
  });
}

function reading(stage: () => Stage): void {
  test('instances are listed by id, and found by id and by name, in their account alone', async () => {
    const { storage, home, stranger } = stage();
    const [b, a] = [await create(stage(), { instanceId: 'b' }), await create(stage(), { instanceId: 'a' })];
    expect(await storage.instances.list(home)).toEqual([b, a]);
    expect(await storage.instances.list(stranger)).toEqual([]);
    expect(await storage.instances.find(home, { name: 'a' })).toMatchObject(a);
    for (const reference of [{ id: a.id }, { name: 'a' }]) {
      expect(await storage.instances.find(stranger, reference)).toBeUndefined();
      expect(await storage.instances.reopen(stranger, reference, eventOf('instance.reopen'))).toBeUndefined();
      expect(await storage.instances.delete(stranger, reference, eventOf('instance.delete'))).toBe(false);
    }
    expect(await storage.instances.list(home)).toEqual([b, a]);
    for (const id of UNKNOWN_IDS) expect(await storage.instances.find(home, { id })).toBeUndefined();
  });

  test('a token finds its instance by all of its hash', async () => {
    const { storage } = stage();
    const tokenHash = randomBytes(32);
    const created = await create(stage(), { tokenHash });
    expect(await storage.instances.findByTokenHash(tokenHash)).toMatchObject(created);
    expect(await storage.instances.findByTokenHash(tokenHash.subarray(0, 31))).toBeUndefined();
    expect(await storage.instances.findByTokenHash(randomBytes(32))).toBeUndefined();
  });

  test('a deleted instance is found by its token alone, closed and without its template', async () => {
    const { storage, home } = stage();
    const tokenHash = randomBytes(32);
    const { id } = await create(stage(), { tokenHash });
    const event = eventOf('instance.delete');
    expect(await storage.instances.delete(home, { name: 'web-1' }, event)).toBe(true);
    const tombstone = { id, sealedTemplate: null, closedAt: event.occurredAt, closedReason: 'deleted' };
    expect(await storage.instances.findByTokenHash(tokenHash)).toMatchObject(tombstone);
    expect(await storage.instances.list(home)).toEqual([]);
    expect(await storage.instances.find(home, { id })).toBeUndefined();
    expect(await storage.instances.reopen(home, { id }, eventOf('instance.reopen'))).toBeUndefined();
    expect(await storage.instances.delete(home, { id }, eventOf('instance.delete'))).toBe(false);
  });

  test('a deleted account takes its instances with it, and no others', async () => {
    const { storage, home, stranger } = stage();
    const tokenHash = randomBytes(32);
    const theirs = await create(stage(), { accountId: stranger, tokenHash });
    const ours = await create(stage());
    const fetch = { address: '192.0.2.7', delivered: [{ valueId: 1, secretKey: 'A', version: 1 }] };
    await storage.instances.recordFetch(theirs.id, fetch, eventOf('seed.fetch'));
    await storage.accounts.delete({ id: stranger }, eventOf('account.delete'));
    expect(await storage.instances.findByTokenHash(tokenHash)).toBeUndefined();
    expect(await storage.instances.listDelivered(theirs.id)).toEqual([]);
    expect(await storage.instances.list(home)).toEqual([ours]);
  });
}

function closing(stage: () => Stage): void {
  test('closing keeps time, reason and report; closing again changes nothing of them', async () => {
    const { storage, home } = stage();
    const { id } = await create(stage());
    const event = eventOf('seed.phone-home');
    const report = { fqdn: 'web.example', hostname: '"\\\u2028\u{1f600}' };
    await storage.instances.close(id, 'phone-home', report, event);
    const closed = await storage.instances.find(home, { id });
    expect(closed).toMatchObject({ closedAt: event.occurredAt, closedReason: 'phone-home', phoneHome: report });
    await storage.instances.close(id, 'phone-home', { fqdn: 'other' }, eventOf('seed.phone-home'));
    expect(await storage.instances.find(home, { id })).toEqual(closed);
  });

  test('a reopened one is as if never fetched, with the same token and template', async () => {
    const { storage, home } = stage();
    const tokenHash = randomBytes(32);
    const { id } = await create(stage(), { tokenHash, expiresInSeconds: 60 });
    const other = await create(stage(), { instanceId: 'other' });
    await storage.instances.recordFetch(id, { address: '192.0.2.7', delivered: [] }, eventOf('seed.fetch'));
    for (const each of [id, other.id])
      await storage.instances.close(each, 'phone-home', {}, eventOf('seed.phone-home'));
    const reopened = await storage.instances.reopen(home, { name: 'web-1' }, eventOf('instance.reopen'));
    expect(reopened).toMatchObject({ id, closedAt: null, closedReason: null, firstFetchedAt: null });
    const found = await storage.instances.findByTokenHash(tokenHash);
    expect(found).toMatchObject({ ...reopened });
    expect(hex(found?.sealedTemplate ?? undefined)).toBe(hex(templateOf('template')));
    expect((await storage.instances.find(home, { id: other.id }))?.closedAt).not.toBeNull();
  });

  test('deleting a closed one keeps the time it was closed at', async () => {
    const { storage, home } = stage();
    const tokenHash = randomBytes(32);
    const { id } = await create(stage(), { tokenHash });
    const event = eventOf('seed.phone-home');
    await storage.instances.close(id, 'phone-home', null, event);
    await storage.instances.delete(home, { id }, eventOf('instance.delete'));
    const tombstone = { closedAt: event.occurredAt, closedReason: 'deleted' };
    expect(await storage.instances.findByTokenHash(tokenHash)).toMatchObject(tombstone);
  });
}

function keepingTheLedger(stage: () => Stage): void {
  test('a fetch notes the first and the last time, and each value in each version once', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'list');
    const [b, a] = [await createValue(stage(), list.id, 'B'), await createValue(stage(), list.id, 'A')];
    const { id } = await create(stage());
    const other = await create(stage(), { instanceId: 'other' });
    const given = (version: number) => [
      { valueId: b.id, secretKey: 'B', version },
      { valueId: a.id, secretKey: 'A', version: 1 },
    ];
    const events = [eventOf('seed.fetch'), eventOf('seed.fetch'), eventOf('seed.fetch')];
    const [first, second, third] = events.map(({ occurredAt }) => occurredAt);
    for (const [i, event] of events.entries()) {
      const fetch = { address: `192.0.2.${i + 1}`, delivered: given(i === 2 ? 2 : 1) };
      await storage.instances.recordFetch(id, fetch, event);
      if (i === 1) await storage.values.update(home, { id: list.id }, { id: b.id }, rewrite, eventOf('value.update'));
    }
    expect(await storage.instances.find(home, { id })).toMatchObject({ firstFetchedAt: first, lastFetchedAt: third });
    const old = { firstDeliveredAt: first, lastDeliveredAt: second, lastAddress: '192.0.2.2' };
    const recent = { lastDeliveredAt: third, lastAddress: '192.0.2.3' };
    expect(await storage.instances.listDelivered(id)).toEqual([
      { valueId: a.id, secretKey: 'A', version: 1, currentVersion: 1, firstDeliveredAt: first, ...recent },
      { valueId: b.id, secretKey: 'B', version: 1, currentVersion: 2, ...old },
      { valueId: b.id, secretKey: 'B', version: 2, currentVersion: 2, firstDeliveredAt: third, ...recent },
    ]);
    expect(await storage.instances.listDelivered(other.id)).toEqual([]);
  });

  test('the ledger outlives the value', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'list');
    const value = await createValue(stage(), list.id, 'A');
    const { id } = await create(stage());
    await fetchOf(id, value.id, 1);
    await storage.lists.delete(home, { id: list.id }, eventOf('list.delete'));
    const expected = { valueId: value.id, secretKey: 'A', version: 1, currentVersion: null };
    expect(await storage.instances.listDelivered(id)).toMatchObject([expected]);
  });

  test('the holders of a value are those of the account, by id, in the newest version they were given', async () => {
    const { storage, home, stranger } = stage();
    const [first, second] = [await create(stage()), await create(stage(), { instanceId: 'second' })];
    const gone = await create(stage(), { instanceId: 'gone' });
    const theirs = await create(stage(), { accountId: stranger });
    // A fetch of an older version that came later, as a rolled back value would have it.
    for (const [instance, version] of [
      [second, 1],
      [first, 1],
      [first, 3],
      [first, 2],
      [gone, 1],
      [theirs, 1],
    ] as const) {
      await fetchOf(instance.id, 12, version);
    }
    await fetchOf(second.id, 13, 9);
    await storage.instances.delete(home, { id: gone.id }, eventOf('instance.delete'));
    const ledger = await storage.instances.listDelivered(first.id);
    expect(await storage.instances.listHolders(home, 12)).toMatchObject([
      { id: first.id, version: 3, lastDeliveredAt: ledger.find(({ version }) => version === 3)?.lastDeliveredAt },
      { id: second.id, instanceId: 'second', hostname: 'web.example', version: 1 },
    ]);
    expect(await storage.instances.listHolders(stranger, 12)).toMatchObject([{ id: theirs.id }]);
    expect(await storage.instances.listHolders(stranger, 13)).toEqual([]);
  });

  const rewrite = () => ({ secretKey: 'B', ...sealed('new')() });

  function fetchOf(id: number, valueId: number, version: number): Promise<boolean> {
    const fetch = { address: '192.0.2.7', delivered: [{ valueId, secretKey: 'A', version }] };
    return stage().storage.instances.recordFetch(id, fetch, eventOf('seed.fetch'));
  }
}

function alwaysWithTheirEvents(stage: () => Stage): void {
  test('each change writes its one event about the instance, and happens only with it', async () => {
    const { storage, home } = stage();
    const tokenHash = randomBytes(32);
    const { id } = await create(stage(), { tokenHash });
    const { instances } = storage;
    const delivered = [{ valueId: 1, secretKey: 'A', version: 1 }];
    const changes = [
      ['seed.fetch', (event) => instances.recordFetch(id, { address: '192.0.2.7', delivered }, event)],
      ['seed.phone-home', (event) => instances.close(id, 'phone-home', { fqdn: 'a' }, event)],
      ['instance.reopen', (event) => instances.reopen(home, { id }, event)],
      ['instance.delete', (event) => instances.delete(home, { id }, event)],
    ] satisfies [string, (event: ReturnType<typeof eventOf>) => Promise<unknown>][];
    const all = async () => [await instances.findByTokenHash(tokenHash), await instances.listDelivered(id)];
    for (const [action, change] of changes) {
      const before = await all();
      await expect(change(eventOf(action as 'seed.fetch', { actor: UNWRITABLE_ACTOR }))).rejects.toThrow();
      expect(await all()).toEqual(before);
      const event = eventOf(action as 'seed.fetch', { actor: 'instance', apiKeyId: null });
      const target = { kind: 'instance', id, parentId: null };
      expect(await auditOf(storage, () => change(event))).toMatchObject([{ ...event, target, outcome: 'success' }]);
      expect(await all()).not.toEqual(before);
    }
  });

  test('a creation whose sealing or event fails leaves nothing', async () => {
    const { storage, home } = stage();
    const given = newInstance(home);
    const fail = () => expect.unreachable('on purpose');
    await expect(storage.instances.create(given, fail, eventOf('instance.create'))).rejects.toThrow('on purpose');
    const lost = eventOf('instance.create', { actor: UNWRITABLE_ACTOR });
    await expect(storage.instances.create(given, seal, lost)).rejects.toThrow();
    expect(await storage.instances.list(home)).toEqual([]);
    expect(await storage.instances.findByTokenHash(given.tokenHash)).toBeUndefined();
  });
}
