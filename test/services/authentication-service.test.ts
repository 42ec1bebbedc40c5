// What authentication asks the store, and what it doesn't. Which keys open the API is test/http/authentication.test.ts.

import { createSecretKey, randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { createApiKeyProof } from '../../src/crypto/api-key-proof.ts';
import { generateToken } from '../../src/crypto/api-key-token.ts';
import type { StoredApiKey } from '../../src/domain/accounts.ts';
import { type AuthenticationService, createAuthenticationService } from '../../src/services/authentication-service.ts';
import type { ApiKeysRepository, RevisionsRepository } from '../../src/storage/storage.ts';

const proof = createApiKeyProof(createSecretKey(randomBytes(32)), createSecretKey(randomBytes(32)));
const TOKEN = generateToken();

let asked: number;
let revision: string;
let service: AuthenticationService;
let alarms: number[];
let stored: StoredApiKey | undefined;

beforeEach(() => {
  asked = 0;
  revision = 'first';
  alarms = [];
  const key = {
    accountId: 3,
    name: 'test',
    hint: null,
    rights: 'read',
    createdAt: '2026-11-23T08:00:00.000Z',
    expiresAt: null,
    revokedAt: null,
    tokenHash: proof.hashToken(TOKEN),
  } as const;
  stored = { id: 7, ...key, rowMac: proof.rowMac(key) };
  service = createService();
});

function createService() {
  const findByTokenHash = async (tokenHash: Uint8Array) => {
    asked += 1;
    return stored !== undefined && Buffer.from(tokenHash).equals(stored.tokenHash) ? stored : undefined;
  };
  const apiKeys = { findByTokenHash } as unknown as ApiKeysRepository;
  const revisions = { ofApiKeys: async () => revision } as RevisionsRepository;
  return createAuthenticationService({ apiKeys, revisions, proof, onForgery: (id) => alarms.push(id) });
}

function authenticate(token: string | undefined) {
  return service.authenticate(token);
}

describe('authentication', () => {
  test('answers whose key it is', async () => {
    expect(await authenticate(TOKEN)).toMatchObject({ id: 7, accountId: 3, rights: 'read' });
  });

  test('asks the store once for a token, working or not, until any key changes', async () => {
    const unknown = generateToken();
    for (let i = 0; i < 3; i += 1) {
      expect(await authenticate(TOKEN)).toMatchObject({ id: 7 });
      await expect(authenticate(unknown)).rejects.toMatchObject({ code: 'unauthenticated' });
    }
    expect(asked).toBe(2);
    stored = undefined;
    revision = 'second';
    await expect(authenticate(TOKEN)).rejects.toMatchObject({ code: 'unauthenticated' });
    await expect(authenticate(unknown)).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(asked).toBe(4);
  });

  test('does not remember what it looked up while a key changed', async () => {
    const slow = authenticate(TOKEN);
    await Promise.resolve();
    revision = 'second';
    const quick = authenticate(generateToken());
    await Promise.allSettled([slow, quick]);
    await authenticate(TOKEN);
    expect(asked).toBe(3);
  });

  test('refuses a remembered key from the moment it expires', async () => {
    if (stored !== undefined) {
      const key = { ...stored, expiresAt: new Date(Date.now() + 60_000).toISOString() };
      stored = { ...key, rowMac: proof.rowMac(key) };
    }
    expect(await authenticate(TOKEN)).toMatchObject({ id: 7 });
    vi.useFakeTimers({ now: Date.now() + 60_001 });
    try {
      await expect(authenticate(TOKEN)).rejects.toMatchObject({ code: 'unauthenticated' });
    } finally {
      vi.useRealTimers();
    }
  });

  test('remembers a bounded number of tokens', async () => {
    await authenticate(TOKEN);
    for (let i = 0; i < 10_000; i += 1) await authenticate(`${i}`.padStart(40, 'x')).catch(() => undefined);
    const before = asked;
    await authenticate(TOKEN);
    expect(asked).toBe(before + 1);
  });

  test.each([
    undefined,
    '',
    'short',
    `${TOKEN.slice(0, -1)}!`,
    TOKEN.slice(0, -1),
    `smk_${'x'.repeat(49)}`,
    'x'.repeat(129),
  ])('asks the store for nothing when the token cannot be one: %s', async (token) => {
    await expect(authenticate(token)).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(asked).toBe(0);
  });

  test('tells of a row that does not prove itself, and of nothing else', async () => {
    await expect(authenticate(generateToken())).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(alarms).toEqual([]);
    if (stored !== undefined) stored = { ...stored, rights: 'write' };
    await expect(authenticate(TOKEN)).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(alarms).toEqual([7]);
  });
});
