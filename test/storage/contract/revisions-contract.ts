// Revisions: another one after each change that an answer could show, and only then; never one that was there before.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createList, createValue, eventOf, newApiKey, type Stage, sealed } from './contract-stage.ts';

export function revisionsContract(stage: () => Stage): void {
  type Change = (stage: Stage, listId: number, valueId: number) => Promise<unknown>;

  const CHANGES: [string, Change][] = [
    ['a new list', (on) => createList(on, 'second')],
    ['a renamed list', ({ storage, home }, id) => storage.lists.rename(home, { id }, 'other', eventOf('list.update'))],
    ['a deleted list', ({ storage, home }, id) => storage.lists.delete(home, { id }, eventOf('list.delete'))],
    ['a new value', (on, id) => createValue(on, id, 'SECOND')],
    [
      'an updated value',
      ({ storage, home }, id, valueId) =>
        storage.values.update(
          home,
          { id },
          { id: valueId },
          ({ secretKey }) => ({ secretKey, ...sealed('other')() }),
          eventOf('value.update'),
        ),
    ],
    [
      'a deleted value',
      ({ storage, home }, id, valueId) => storage.values.delete(home, { id }, { id: valueId }, eventOf('value.delete')),
    ],
  ];

  test.each(CHANGES)('%s is another revision of its account, and of no other', async (_, change) => {
    const { storage, home, stranger } = stage();
    const list = await createList(stage(), 'list');
    const value = await createValue(stage(), list.id, 'KEY');
    const ours = await storage.revisions.ofAccount(home);
    const theirs = await storage.revisions.ofAccount(stranger);
    const ofKeys = await storage.revisions.ofApiKeys();
    await change(stage(), list.id, value.id);
    expect(await storage.revisions.ofAccount(home)).not.toBe(ours);
    expect(await storage.revisions.ofAccount(stranger)).toBe(theirs);
    expect(await storage.revisions.ofApiKeys()).toBe(ofKeys);
  });

  test('nothing else is, refused changes among them', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'list');
    const value = await createValue(stage(), list.id, 'KEY');
    const before = await storage.revisions.ofAccount(home);
    await expect(createList(stage(), 'list')).rejects.toThrow();
    await expect(createValue(stage(), list.id, 'KEY')).rejects.toThrow();
    await storage.lists.delete(home, { id: list.id + 1 }, eventOf('list.delete'));
    await storage.values.find(home, { id: list.id }, { id: value.id });
    await storage.apiKeys.create(newApiKey(home), eventOf('key.create'));
    expect(await storage.revisions.ofAccount(home)).toBe(before);
  });

  test('a revision never comes again, not even with the same content', async () => {
    const { storage, home } = stage();
    const seen = new Set<string>();
    for (let i = 0; i < 20; i += 1) {
      const { id } = await createList(stage(), 'list');
      seen.add(await storage.revisions.ofAccount(home));
      await storage.lists.delete(home, { id }, eventOf('list.delete'));
      seen.add(await storage.revisions.ofAccount(home));
    }
    expect(seen.size).toBe(40);
  });

  test('a new or revoked API key and a deleted account are another revision of the API keys', async () => {
    const { storage, home, stranger } = stage();
    const seen = new Set([await storage.revisions.ofApiKeys()]);
    const key = await storage.apiKeys.create(newApiKey(home), eventOf('key.create'));
    seen.add(await storage.revisions.ofApiKeys());
    await storage.apiKeys.revoke(key.id, () => new Uint8Array(32), eventOf('key.revoke'));
    seen.add(await storage.revisions.ofApiKeys());
    await storage.apiKeys.create(newApiKey(stranger), eventOf('key.create'));
    seen.add(await storage.revisions.ofApiKeys());
    await storage.accounts.delete({ id: stranger }, eventOf('account.delete'));
    seen.add(await storage.revisions.ofApiKeys());
    expect(seen.size).toBe(5);
  });

  test('what another process commits is noticed', async () => {
    const { storage, home, openAgain } = stage();
    const list = await createList(stage(), 'list');
    const before = [await storage.revisions.ofApiKeys(), await storage.revisions.ofAccount(home)];
    const other = await openAgain();
    await other.lists.rename(home, { id: list.id }, 'renamed elsewhere', eventOf('list.update'));
    await other.apiKeys.create(newApiKey(home), eventOf('key.create'));
    await other.close();
    await nextTurn();
    const after = [await storage.revisions.ofApiKeys(), await storage.revisions.ofAccount(home)];
    expect(after[0]).not.toBe(before[0]);
    expect(after[1]).not.toBe(before[1]);
  });

  test('an account that is not there has the empty one', async () => {
    expect(await stage().storage.revisions.ofAccount(999_999)).toBe('');
  });
}
