// From a token to who it is. Missing, unknown, expired, revoked or tampered with: one and the same answer.

import type { ApiKeyProof } from '../crypto/api-key-proof.ts';
import { isTokenWellFormed } from '../crypto/api-key-token.ts';
import type { ApiKey } from '../domain/accounts.ts';
import { ApiError } from '../domain/errors.ts';
import type { ApiKeysRepository } from '../storage/storage.ts';

export interface AuthenticationService {
  /** Throws ApiError `unauthenticated`. Asks the store each time, so that a revocation holds from the next request on. */
  authenticate(token: string | undefined): Promise<ApiKey>;
}

export function createAuthenticationService(deps: {
  apiKeys: ApiKeysRepository;
  proof: ApiKeyProof;
  /** Called with the id of a key whose row was changed by somebody without the root key. */
  onForgery: (apiKeyId: number) => void;
}): AuthenticationService {
  const { apiKeys, proof, onForgery } = deps;
  return {
    async authenticate(token) {
      if (token === undefined || !isTokenWellFormed(token)) throw new ApiError('unauthenticated');
      const key = await apiKeys.findByTokenHash(proof.hashToken(token));
      if (key === undefined) throw new ApiError('unauthenticated');
      if (!proof.isGenuine(key)) {
        onForgery(key.id);
        throw new ApiError('unauthenticated');
      }
      if (key.revokedAt !== null || hasPassed(key.expiresAt)) throw new ApiError('unauthenticated');
      return key;
    },
  };
}

function hasPassed(time: string | null): boolean {
  return time !== null && Date.parse(time) <= Date.now();
}
