// The contract of AccountsRepository.

import { expect, test } from 'vitest';
import { AlreadyTakenError } from '../../../src/domain/errors.ts';
import type { WrappedKey } from '../../../src/storage/storage.ts';
import {
  createList,
  createValue,
  eventOf,
  everythingOf,
  hex,
  newApiKey,
  ROOT_KEY_FINGERPRINT,
  type Stage,
  UNKNOWN_IDS,
  valuesOfList,
  wrapDataKey,
} from './contract-stage.ts';

export function accountsContract(stage: () => Stage): void {
  test('a new account has a name, the time of its event, and a first data key wrapped for its id', async () => {
    const { storage } = stage();
    const wraps: { accountId: number; wrapped: WrappedKey }[] = [];
    const wrap = (accountId: number) => {
      const wrapped = wrapDataKey(accountId);
      wraps.push({ accountId, wrapped });
      return wrapped;
    };
    const event = eventOf('account.create');
    const created = await storage.accounts.create('acme', wrap, event);
    expect(created).toEqual({ id: expect.any(Number), name: 'acme', createdAt: event.occurredAt });
    expect(wraps.at(-1)?.accountId).toBe(created.id);
    const dataKeys = await storage.keys.findDataKeys(created.id);
    expect(dataKeys?.currentVersion).toBe(1);
    expect(dataKeys?.dataKeys).toHaveLength(1);
    expect(dataKeys?.dataKeys[0]).toMatchObject({ version: 1, rootKeyFingerprint: ROOT_KEY_FINGERPRINT });
    expect(hex(dataKeys?.dataKeys[0]?.wrappedKey)).toBe(hex(wraps.at(-1)?.wrapped.wrappedKey));
  });

  test('are listed by id and found by id and by exact name', async () => {
    const { storage, home, stranger } = stage();
    const created = await storage.accounts.create('a', wrapDataKey, eventOf('account.create'));
    const listed = await storage.accounts.list();
    expect(listed.map(({ id }) => id)).toEqual([home, stranger, created.id]);
    expect(listed.map(({ name }) => name)).toEqual(['home', 'stranger', 'a']);
    for (const account of listed) {
      expect(await storage.accounts.find({ id: account.id })).toEqual(account);
      expect(await storage.accounts.find({ name: account.name })).toEqual(account);
    }
    expect(await storage.accounts.find({ name: 'Home' })).toBeUndefined();
  });

  test('a name is taken once, and of simultaneous creations exactly one wins', async () => {
    const { storage } = stage();
    const create = (name: string) => storage.accounts.create(name, wrapDataKey, eventOf('account.create'));
    await expect(create('stranger')).rejects.toMatchObject({ name: 'AlreadyTakenError', what: 'account-name' });
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => create('contested')));
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(lost).toHaveLength(19);
    for (const { reason } of lost) expect(reason).toBeInstanceOf(AlreadyTakenError);
    expect(await storage.accounts.list()).toHaveLength(3);
  });

  test('one that does not exist is neither found nor deleted', async () => {
    const { storage } = stage();
    for (const account of [{ name: 'none' }, ...UNKNOWN_IDS.map((id) => ({ id }))]) {
      expect(await storage.accounts.find(account)).toBeUndefined();
      expect(await storage.accounts.delete(account, eventOf('account.delete'))).toBe(false);
    }
    expect(await storage.accounts.list()).toHaveLength(2);
  });

  test.each(['by id', 'by name'])('a deleted one takes all that is its own but audit events, %s', async (how) => {
    const { storage, home, stranger } = stage();
    const list = await createList(stage(), 'list');
    await createValue(stage(), list.id, 'KEY');
    const key = newApiKey(home);
    await storage.apiKeys.create(key, eventOf('key.create'));
    const theirList = await createList(stage(), 'list', stranger);
    await createValue(stage(), theirList.id, 'KEY', 'theirs', stranger);
    await storage.apiKeys.create(newApiKey(stranger), eventOf('key.create'));
    const { audit: auditBefore, ...theirsBefore } = (await everythingOf(storage, stranger)) as { audit: unknown[] };

    const account = how === 'by id' ? { id: home } : { name: 'home' };
    expect(await storage.accounts.delete(account, eventOf('account.delete'))).toBe(true);

    const { audit, ...ours } = (await everythingOf(storage, home)) as { audit: unknown[] };
    expect(ours).toEqual({ account: undefined, lists: [], values: [], apiKeys: [], dataKeys: undefined });
    expect(await valuesOfList(storage, home, { id: list.id })).toBeUndefined();
    expect(await storage.apiKeys.findByTokenHash(key.tokenHash)).toBeUndefined();
    expect(audit.slice(1)).toEqual(auditBefore);
    const { audit: _, ...theirs } = (await everythingOf(storage, stranger)) as { audit: unknown[] };
    expect(theirs).toEqual(theirsBefore);
  });

  test('the name of a deleted one is free, its id is never given again, and the new one starts empty', async () => {
    const { storage, home, stranger } = stage();
    await createList(stage(), 'list', stranger);
    await storage.accounts.delete({ id: stranger }, eventOf('account.delete'));
    const again = await storage.accounts.create('stranger', wrapDataKey, eventOf('account.create'));
    expect(again.id).toBeGreaterThan(stranger);
    expect(again.id).toBeGreaterThan(home);
    expect(await storage.lists.list(again.id)).toEqual([]);
  });
}
