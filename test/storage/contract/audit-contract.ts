// The contract of AuditRepository, and which event each change writes.

import { expect, test } from 'vitest';
import type { AuditTarget, RefusalEvent } from '../../../src/domain/audit-events.ts';
import {
  allValues,
  auditOf,
  createList,
  createValue,
  eventOf,
  newApiKey,
  type Stage,
  sealed,
  UNWRITABLE_ACTOR,
  valuesOfList,
  wrapDataKey,
} from './contract-stage.ts';

export function auditContract(stage: () => Stage): void {
  changes(stage);
  refusals(stage);
}

function changes(stage: () => Stage): void {
  test('each change writes exactly its own event, with the ids of what it changed', async () => {
    const { storage, home } = stage();
    const { lists, values, accounts, apiKeys } = storage;
    const list = await createList(stage(), 'list');
    const value = await createValue(stage(), list.id, 'KEY');
    const inList = { id: list.id };
    const listTarget: AuditTarget = { kind: 'list', id: list.id, parentId: null };
    const valueTarget: AuditTarget = { kind: 'value', id: value.id, parentId: list.id };

    const renaming = eventOf('list.update');
    expect(await auditOf(storage, () => lists.rename(home, { name: 'list' }, 'new', renaming))).toEqual([
      success(renaming, listTarget),
    ]);
    const updating = eventOf('value.update');
    const reseal = () => ({ secretKey: 'NEW', ...sealed('x')() });
    expect(await auditOf(storage, () => values.update(home, inList, { name: 'KEY' }, reseal, updating))).toEqual([
      success(updating, valueTarget),
    ]);
    const deletingValue = eventOf('value.delete');
    expect(await auditOf(storage, () => values.delete(home, inList, { name: 'NEW' }, deletingValue))).toEqual([
      success(deletingValue, valueTarget),
    ]);
    const deletingList = eventOf('list.delete');
    expect(await auditOf(storage, () => lists.delete(home, { name: 'new' }, deletingList))).toEqual([
      success(deletingList, listTarget),
    ]);
    const revoking = eventOf('key.revoke');
    const { id } = await apiKeys.create(newApiKey(home), eventOf('key.create'));
    expect(await auditOf(storage, () => apiKeys.revoke(id, ({ rowMac }) => rowMac, revoking))).toEqual([
      success(revoking, { kind: 'key', id, parentId: home }),
    ]);
    const deletingAccount = eventOf('account.delete');
    expect(await auditOf(storage, () => accounts.delete({ name: 'home' }, deletingAccount))).toEqual([
      success(deletingAccount, { kind: 'account', id: home, parentId: null }),
    ]);
  });

  test('each creation writes exactly its own event, with the id that was given', async () => {
    const { storage, home } = stage();
    const { lists, values, accounts, apiKeys } = storage;
    let listId = 0;
    const ofList = eventOf('list.create');
    const listEvents = await auditOf(storage, async () => {
      listId = (await lists.create(home, 'list', ofList)).id;
    });
    expect(listEvents).toEqual([success(ofList, { kind: 'list', id: listId, parentId: null })]);

    let valueId = 0;
    const ofValue = eventOf('value.create');
    const valueEvents = await auditOf(storage, async () => {
      valueId = (await values.create(home, { name: 'list' }, 'KEY', sealed('x'), ofValue))?.id ?? 0;
    });
    expect(valueEvents).toEqual([success(ofValue, { kind: 'value', id: valueId, parentId: listId })]);

    let accountId = 0;
    const ofAccount = eventOf('account.create', { actor: 'command-line', requestId: null, address: null });
    const accountEvents = await auditOf(storage, async () => {
      accountId = (await accounts.create('acme', wrapDataKey, ofAccount)).id;
    });
    expect(accountEvents).toEqual([success(ofAccount, { kind: 'account', id: accountId, parentId: null })]);

    let keyId = 0;
    const ofKey = eventOf('key.create', { actor: 'command-line', apiKeyId: null });
    const keyEvents = await auditOf(storage, async () => {
      keyId = (await apiKeys.create(newApiKey(accountId), ofKey)).id;
    });
    expect(keyEvents).toEqual([success(ofKey, { kind: 'key', id: keyId, parentId: accountId })]);
  });

  test('what is not found, is taken already or fails writes no event', async () => {
    const { storage, home, stranger } = stage();
    const { lists, values, accounts, apiKeys } = storage;
    const list = await createList(stage(), 'list');
    await createList(stage(), 'taken');
    await createValue(stage(), list.id, 'KEY');
    await createValue(stage(), list.id, 'TAKEN');
    const key = newApiKey(home);
    await apiKeys.create(key, eventOf('key.create'));
    const inList = { id: list.id };
    const retake = () => ({ secretKey: 'TAKEN', ...sealed('x')() });

    const events = await auditOf(storage, () =>
      Promise.allSettled([
        lists.create(home, 'taken', eventOf('list.create')),
        lists.rename(home, inList, 'taken', eventOf('list.update')),
        lists.rename(stranger, inList, 'new', eventOf('list.update')),
        lists.delete(stranger, inList, eventOf('list.delete')),
        values.create(home, inList, 'TAKEN', sealed('x'), eventOf('value.create')),
        values.create(stranger, inList, 'NEW', sealed('x'), eventOf('value.create')),
        values.update(home, inList, { name: 'KEY' }, retake, eventOf('value.update')),
        values.update(home, inList, { name: 'NONE' }, retake, eventOf('value.update')),
        values.delete(home, inList, { name: 'NONE' }, eventOf('value.delete')),
        accounts.create('home', wrapDataKey, eventOf('account.create')),
        accounts.delete({ name: 'none' }, eventOf('account.delete')),
        apiKeys.create(newApiKey(stranger, { tokenHash: key.tokenHash }), eventOf('key.create')),
        apiKeys.revoke(999_999, ({ rowMac }) => rowMac, eventOf('key.revoke')),
      ]),
    );
    expect(events).toEqual([]);
  });

  test('reading writes no event', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'list');
    const events = await auditOf(storage, () =>
      Promise.all([
        storage.lists.list(home),
        storage.lists.find(home, { id: list.id }),
        allValues(storage, home),
        valuesOfList(storage, home, { id: list.id }),
        storage.accounts.list(),
        storage.apiKeys.list(home),
        storage.keys.findDataKeys(home),
        storage.audit.list(10),
        storage.checkWritable(),
      ]),
    );
    expect(events).toEqual([]);
  });
}

function refusals(stage: () => Stage): void {
  test('refused requests are written as they are, in order', async () => {
    const { storage } = stage();
    const refused = [
      refusal({ reason: 'unauthenticated', actor: 'anonymous', accountId: null, apiKeyId: null }),
      refusal({ reason: 'forbidden', target: { kind: 'list', id: 7, parentId: null } }),
      refusal({ reason: 'value_not_found', target: { kind: 'value', id: 8, parentId: 7 }, occurrences: 1234 }),
    ];
    const events = await auditOf(storage, () => storage.audit.recordRefusals(refused));
    expect(events).toEqual(refused.map((event) => ({ ...event, id: expect.any(Number), outcome: 'refused' })));
  });

  test('no refused requests at all are no event', async () => {
    const { storage } = stage();
    expect(await auditOf(storage, () => storage.audit.recordRefusals([]))).toEqual([]);
  });

  test('a group of refused requests is written wholly or not at all', async () => {
    const { storage } = stage();
    const group = [refusal(), refusal({ actor: UNWRITABLE_ACTOR }), refusal()];
    const events = await auditOf(storage, () => expect(storage.audit.recordRefusals(group)).rejects.toThrow());
    expect(events).toEqual([]);
  });

  test('the trail is told newest first, and no more of it than was asked for', async () => {
    const { storage } = stage();
    const group = Array.from({ length: 10 }, (_, i) => refusal({ reason: `reason ${i}` }));
    await storage.audit.recordRefusals(group);
    const newest = await storage.audit.list(4);
    expect(newest.map(({ reason }) => reason)).toEqual(['reason 9', 'reason 8', 'reason 7', 'reason 6']);
    const ids = (await storage.audit.list(1000)).map(({ id }) => id);
    expect(ids).toEqual([...ids].sort((a, b) => b - a));
    expect(new Set(ids).size).toBe(ids.length);
    expect(await storage.audit.list(0)).toEqual([]);
  });
}

function success(event: object, target: AuditTarget) {
  return { ...event, id: expect.any(Number), target, outcome: 'success', reason: null, occurrences: 1 };
}

function refusal(changes: Partial<RefusalEvent> = {}): RefusalEvent {
  return { ...eventOf('value.read'), reason: 'list_not_found', target: null, occurrences: 1, ...changes };
}
