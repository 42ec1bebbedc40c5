// What authentication asks the store, and what it doesn't. Which keys open the API is test/http/authentication.test.ts.

import { createSecretKey, randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { createApiKeyProof } from '../../src/crypto/api-key-proof.ts';
import { generateToken } from '../../src/crypto/api-key-token.ts';
import type { StoredApiKey } from '../../src/domain/accounts.ts';
import { createAuthenticationService } from '../../src/services/authentication-service.ts';
import type { ApiKeysRepository } from '../../src/storage/storage.ts';

const proof = createApiKeyProof(createSecretKey(randomBytes(32)), createSecretKey(randomBytes(32)));
const TOKEN = generateToken();

let asked: number;
let alarms: number[];
let stored: StoredApiKey | undefined;

beforeEach(() => {
  asked = 0;
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
});

function authenticate(token: string | undefined) {
  const findByTokenHash = async (tokenHash: Uint8Array) => {
    asked += 1;
    return stored !== undefined && Buffer.from(tokenHash).equals(stored.tokenHash) ? stored : undefined;
  };
  const apiKeys = { findByTokenHash } as unknown as ApiKeysRepository;
  return createAuthenticationService({ apiKeys, proof, onForgery: (id) => alarms.push(id) }).authenticate(token);
}

describe('authentication', () => {
  test('answers whose key it is', async () => {
    expect(await authenticate(TOKEN)).toMatchObject({ id: 7, accountId: 3, rights: 'read' });
  });

  test('asks the store each time: what it knew may be revoked by now', async () => {
    await authenticate(TOKEN);
    stored = undefined;
    await expect(authenticate(TOKEN)).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(asked).toBe(2);
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
