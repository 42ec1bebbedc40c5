// The contract of KeysRepository.

import { expect, test } from 'vitest';
import { AlreadyTakenError } from '../../../src/domain/errors.ts';
import type { Engine } from '../engines.ts';
import {
  auditOf,
  eventOf,
  firstStart,
  hex,
  newApiKey,
  ROOT_KEY_FINGERPRINT,
  type Stage,
  UNKNOWN_IDS,
} from './contract-stage.ts';

export function keysContract(stage: () => Stage, engine: Engine): void {
  test('a store that was never initialised has no root key, no system keys, no account and no event', async () => {
    const { storage } = await engine.open();
    expect(await storage.keys.listRootKeyFingerprints()).toEqual([]);
    expect(await storage.keys.findSystemKeys()).toBeUndefined();
    expect(await storage.accounts.list()).toEqual([]);
    expect(await storage.audit.list(10)).toEqual([]);
    await storage.close();
  });

  test('the first start writes root key, system keys, account, data key and API key', async () => {
    const { storage } = await engine.open();
    const key = newApiKey(0, { name: 'first' });
    const start = firstStart({ proveApiKey: (accountId) => ({ ...key, accountId }) });
    await storage.keys.initialise(start, eventOf('unknown', { actor: 'system', accountId: null, apiKeyId: null }));

    expect(await storage.keys.listRootKeyFingerprints()).toEqual([ROOT_KEY_FINGERPRINT]);
    const systemKeys = await storage.keys.findSystemKeys();
    for (const purpose of ['api-key-tokens', 'api-key-rows'] as const) {
      expect(systemKeys?.[purpose].rootKeyFingerprint).toBe(ROOT_KEY_FINGERPRINT);
      expect(hex(systemKeys?.[purpose].wrappedKey)).toBe(hex(start.systemKeys[purpose].wrappedKey));
    }
    const [account] = await storage.accounts.list();
    expect(account?.name).toBe('home');
    const accountId = account?.id as number;
    expect((await storage.keys.findDataKeys(accountId))?.dataKeys).toHaveLength(1);
    expect(await storage.apiKeys.findByTokenHash(key.tokenHash)).toMatchObject({ accountId, name: 'first' });
    await storage.close();
  });

  test('the first start writes two audit events, for the account and for its key', async () => {
    const { storage } = await engine.open();
    const { action: _, ...event } = eventOf('unknown', { actor: 'system', accountId: null, apiKeyId: null });
    const events = await auditOf(storage, () => storage.keys.initialise(firstStart(), event));
    const [account] = await storage.accounts.list();
    const [key] = await storage.apiKeys.list(account?.id as number);
    expect(events).toEqual([
      expect.objectContaining({
        ...event,
        action: 'account.create',
        outcome: 'success',
        target: { kind: 'account', id: account?.id, parentId: null },
      }),
      expect.objectContaining({
        ...event,
        action: 'key.create',
        outcome: 'success',
        target: { kind: 'key', id: key?.id, parentId: account?.id },
      }),
    ]);
    await storage.close();
  });

  test('a second first start is refused and changes nothing', async () => {
    const { storage } = stage();
    const systemKeysBefore = await storage.keys.findSystemKeys();
    const accountsBefore = await storage.accounts.list();
    const second = firstStart({ accountName: 'another' });
    const events = await auditOf(storage, async () => {
      const refused = storage.keys.initialise(second, eventOf('unknown'));
      await expect(refused).rejects.toBeInstanceOf(AlreadyTakenError);
      await expect(refused).rejects.toMatchObject({ what: 'root-key' });
    });
    expect(events).toEqual([]);
    expect(await storage.keys.findSystemKeys()).toEqual(systemKeysBefore);
    expect(await storage.accounts.list()).toEqual(accountsBefore);
  });

  test('a second first start under another root key is refused too and changes nothing', async () => {
    const { storage } = stage();
    const systemKeysBefore = await storage.keys.findSystemKeys();
    const second = firstStart({ accountName: 'another', rootKeyFingerprint: 'fedcba9876543210' });
    await expect(storage.keys.initialise(second, eventOf('unknown'))).rejects.toThrow();
    expect(await storage.keys.listRootKeyFingerprints()).toEqual([ROOT_KEY_FINGERPRINT]);
    expect(await storage.keys.findSystemKeys()).toEqual(systemKeysBefore);
    expect(await storage.accounts.list()).toHaveLength(2);
  });

  test('of simultaneous first starts exactly one wins', async () => {
    const { storage } = await engine.open();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 5 }, () => storage.keys.initialise(firstStart(), eventOf('unknown'))),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await storage.accounts.list()).toHaveLength(1);
    await storage.close();
  });

  test.each(['wrapDataKey', 'proveApiKey'] as const)('a first start whose %s fails leaves nothing', async (which) => {
    const { storage } = await engine.open();
    const fail = () => {
      throw new RangeError('on purpose');
    };
    const failing = storage.keys.initialise(firstStart({ [which]: fail }), eventOf('unknown'));
    await expect(failing).rejects.toThrow('on purpose');
    expect(await storage.keys.listRootKeyFingerprints()).toEqual([]);
    expect(await storage.keys.findSystemKeys()).toBeUndefined();
    expect(await storage.accounts.list()).toEqual([]);
    expect(await storage.audit.list(10)).toEqual([]);
    await storage.keys.initialise(firstStart(), eventOf('unknown'));
    expect(await storage.accounts.list()).toHaveLength(1);
    await storage.close();
  });

  test('an account that does not exist has no data keys', async () => {
    const { storage } = stage();
    for (const id of UNKNOWN_IDS) expect(await storage.keys.findDataKeys(id)).toBeUndefined();
  });
}
