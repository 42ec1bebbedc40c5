// The contract of ApiKeysRepository.

import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { StoredApiKey } from '../../../src/domain/accounts.ts';
import { AlreadyTakenError } from '../../../src/domain/errors.ts';
import { eventOf, hex, newApiKey, type Stage, UNKNOWN_IDS } from './contract-stage.ts';

export function apiKeysContract(stage: () => Stage): void {
  test('a new key comes back whole by the hash of its token, and without its proof otherwise', async () => {
    const { storage, stranger } = stage();
    const key = newApiKey(stranger, { rights: 'read', expiresAt: '2027-01-01T00:00:00.000Z', hint: null });
    const created = await storage.apiKeys.create(key, eventOf('key.create'));
    const { tokenHash, rowMac, ...visible } = key;
    expect(created).toEqual({ ...visible, id: created.id });
    expect(await storage.apiKeys.list(stranger)).toEqual([created]);
    const found = await storage.apiKeys.findByTokenHash(tokenHash);
    expect({ ...found, tokenHash: hex(found?.tokenHash), rowMac: hex(found?.rowMac) }).toEqual({
      ...created,
      tokenHash: hex(tokenHash),
      rowMac: hex(rowMac),
    });
  });

  test('an unknown hash, or one that is like a known one, finds none', async () => {
    const { storage, home } = stage();
    const key = newApiKey(home);
    await storage.apiKeys.create(key, eventOf('key.create'));
    const oneBitOff = Buffer.from(key.tokenHash);
    oneBitOff.writeUInt8(oneBitOff.readUInt8(31) ^ 1, 31);
    const others = [randomBytes(32), Buffer.alloc(0), oneBitOff, key.tokenHash.subarray(0, 31)];
    for (const tokenHash of others) expect(await storage.apiKeys.findByTokenHash(tokenHash)).toBeUndefined();
  });

  test("are listed by id, revoked ones too, and another account's are not", async () => {
    const { storage, home, stranger } = stage();
    const ids: number[] = [];
    for (const name of ['z', 'a', 'm']) {
      ids.push((await storage.apiKeys.create(newApiKey(stranger, { name }), eventOf('key.create'))).id);
    }
    await storage.apiKeys.revoke(ids[0] as number, () => randomBytes(32), eventOf('key.revoke'));
    expect((await storage.apiKeys.list(stranger)).map(({ id }) => id)).toEqual(ids);
    expect((await storage.apiKeys.list(home)).map(({ name }) => name)).toEqual(['first']);
    for (const accountId of UNKNOWN_IDS) expect(await storage.apiKeys.list(accountId)).toEqual([]);
  });

  test('a token opens one account: a second key for it is refused, wherever', async () => {
    const { storage, home, stranger } = stage();
    const key = newApiKey(home);
    await storage.apiKeys.create(key, eventOf('key.create'));
    for (const accountId of [home, stranger]) {
      const second = storage.apiKeys.create(newApiKey(accountId, { tokenHash: key.tokenHash }), eventOf('key.create'));
      await expect(second).rejects.toBeInstanceOf(AlreadyTakenError);
      await expect(second).rejects.toMatchObject({ what: 'api-key' });
    }
  });

  test('a revoked key has the time of the event and the proof that was made for it', async () => {
    const { storage, home } = stage();
    const key = newApiKey(home);
    const { id } = await storage.apiKeys.create(key, eventOf('key.create'));
    const seen: { current: StoredApiKey; revokedAt: string }[] = [];
    const mac = randomBytes(32);
    const prove = (current: StoredApiKey, revokedAt: string) => {
      seen.push({ current, revokedAt });
      return mac;
    };
    const event = eventOf('key.revoke');
    const revoked = await storage.apiKeys.revoke(id, prove, event);
    expect(revoked).toMatchObject({ id, revokedAt: event.occurredAt, rights: key.rights, name: key.name });
    expect(revoked).not.toHaveProperty('tokenHash');
    expect(seen.at(-1)?.revokedAt).toBe(event.occurredAt);
    expect(seen.at(-1)?.current).toMatchObject({ id, accountId: home, revokedAt: null, name: key.name });
    expect(hex(seen.at(-1)?.current.tokenHash)).toBe(hex(key.tokenHash));
    expect(hex(seen.at(-1)?.current.rowMac)).toBe(hex(key.rowMac));
    const found = await storage.apiKeys.findByTokenHash(key.tokenHash);
    expect(found?.revokedAt).toBe(event.occurredAt);
    expect(hex(found?.rowMac)).toBe(hex(mac));
  });

  test('revoking one again succeeds and keeps the time of the first', async () => {
    const { storage, home } = stage();
    const { id } = await storage.apiKeys.create(newApiKey(home), eventOf('key.create'));
    const first = eventOf('key.revoke');
    await storage.apiKeys.revoke(id, () => randomBytes(32), first);
    const times: string[] = [];
    const prove = ({ rowMac }: StoredApiKey, revokedAt: string) => {
      times.push(revokedAt);
      return rowMac;
    };
    const again = await storage.apiKeys.revoke(id, prove, eventOf('key.revoke'));
    expect(again).toMatchObject({ id, revokedAt: first.occurredAt });
    expect(times.at(-1)).toBe(first.occurredAt);
    expect((await storage.apiKeys.list(home)).find((key) => key.id === id)?.revokedAt).toBe(first.occurredAt);
  });

  test('revoking one changes no other', async () => {
    const { storage, home } = stage();
    const before = await storage.apiKeys.list(home);
    const { id } = await storage.apiKeys.create(newApiKey(home), eventOf('key.create'));
    await storage.apiKeys.revoke(id, () => randomBytes(32), eventOf('key.revoke'));
    expect((await storage.apiKeys.list(home)).filter((key) => key.id !== id)).toEqual(before);
  });

  test('one that does not exist is not revoked, and nothing is proved', async () => {
    const { storage } = stage();
    const prove = () => {
      throw new Error('there is nothing to prove');
    };
    for (const id of UNKNOWN_IDS) {
      expect(await storage.apiKeys.revoke(id, prove, eventOf('key.revoke'))).toBeUndefined();
    }
  });

  test('a key for an account that does not exist is refused', async () => {
    const { storage } = stage();
    for (const accountId of UNKNOWN_IDS) {
      const refused = storage.apiKeys.create(newApiKey(accountId), eventOf('key.create'));
      await expect(refused).rejects.toMatchObject({ name: 'ApiError', code: 'unauthenticated' });
      expect(await storage.apiKeys.list(accountId)).toEqual([]);
    }
  });
}
