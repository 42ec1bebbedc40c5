// From a token to who it is. Missing, unknown, expired, revoked or tampered with: one and the same answer.
// What was found is remembered until any API key changes; under a hash, so that no token stays in memory.

import { hash } from 'node:crypto';
import type { ApiKeyProof } from '../crypto/api-key-proof.ts';
import { isTokenWellFormed } from '../crypto/api-key-token.ts';
import type { ApiKey } from '../domain/accounts.ts';
import { ApiError } from '../domain/errors.ts';
import type { ApiKeysRepository, RevisionsRepository } from '../storage/storage.ts';

/** Tokens remembered at once, refused ones among them; beyond it, remembering starts again. */
const MAX_REMEMBERED = 10_000;

export interface AuthenticationService {
  /** Throws ApiError `unauthenticated`. A revocation holds from the next request on, whichever process made it. */
  authenticate(token: string | undefined): Promise<ApiKey>;
}

interface WorkingKey {
  readonly key: ApiKey;
  readonly expiresAtMs: number;
}

export function createAuthenticationService(deps: {
  apiKeys: ApiKeysRepository;
  revisions: RevisionsRepository;
  proof: ApiKeyProof;
  /** Called with the id of a key whose row was changed by somebody without the root key. */
  onForgery: (apiKeyId: number) => void;
}): AuthenticationService {
  const { apiKeys, revisions, proof, onForgery } = deps;
  /** `null` for a token that opens nothing. */
  const remembered = new Map<string, WorkingKey | null>();
  let rememberedAt: string | undefined;

  async function find(token: string): Promise<WorkingKey | null> {
    const revision = await revisions.ofApiKeys();
    if (revision !== rememberedAt || remembered.size >= MAX_REMEMBERED) remembered.clear();
    rememberedAt = revision;
    const name = hash('sha256', token, 'base64');
    const known = remembered.get(name);
    if (known !== undefined) return known;
    const found = await lookUp(token);
    // Meanwhile a key may have changed; then the next request looks again.
    if (rememberedAt === revision) remembered.set(name, found);
    return found;
  }

  async function lookUp(token: string): Promise<WorkingKey | null> {
    if (!isTokenWellFormed(token)) return null;
    const key = await apiKeys.findByTokenHash(proof.hashToken(token));
    if (key === undefined) return null;
    if (!proof.isGenuine(key)) {
      onForgery(key.id);
      // Not remembered: each use of it is an alarm.
      throw new ApiError('unauthenticated');
    }
    if (key.revokedAt !== null) return null;
    return { key, expiresAtMs: key.expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(key.expiresAt) };
  }

  return {
    async authenticate(token) {
      const found = token === undefined ? null : await find(token);
      if (found === null || found.expiresAtMs <= Date.now()) throw new ApiError('unauthenticated');
      return found.key;
    },
  };
}
