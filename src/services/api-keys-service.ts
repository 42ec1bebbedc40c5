// API keys: use cases of the command line. A token exists here once, when it is made.

import type { ApiKeyProof } from '../crypto/api-key-proof.ts';
import { generateToken, tokenHint } from '../crypto/api-key-token.ts';
import type { ApiKey, Right, StoredApiKey } from '../domain/accounts.ts';
import { OperatorError } from '../domain/errors.ts';
import type { ApiKeysRepository, NewApiKey } from '../storage/storage.ts';
import { requireOperatorLabel } from './accounts-service.ts';
import { commandLineEvent } from './caller.ts';

export interface NewKeyRequest {
  readonly accountId: number;
  readonly name: string;
  readonly rights: Right;
  readonly expiresAt: Date | null;
}

export interface ApiKeysService {
  list(accountId: number): Promise<ApiKey[]>;
  /** The token is not kept and can't be shown again. */
  create(request: NewKeyRequest): Promise<{ readonly apiKey: ApiKey; readonly token: string }>;
  /** Throws OperatorError (`refused`) when there is no such key. */
  revoke(id: number): Promise<ApiKey>;
}

export function createApiKeysService(apiKeys: ApiKeysRepository, proof: ApiKeyProof): ApiKeysService {
  /** A row that somebody forged must not become genuine by being revoked. */
  function proveRevoked(current: StoredApiKey, revokedAt: string): Uint8Array {
    return proof.isGenuine(current) ? proof.rowMac({ ...current, revokedAt }) : current.rowMac;
  }

  return {
    list: (accountId) => apiKeys.list(accountId),

    async create({ accountId, name, rights, expiresAt }) {
      const token = generateToken();
      const event = commandLineEvent('key.create', accountId);
      const key = proveApiKey(proof, token, {
        accountId,
        name: requireOperatorLabel(name),
        rights,
        createdAt: event.occurredAt,
        expiresAt: expiresAt?.toISOString() ?? null,
      });
      return { apiKey: await apiKeys.create(key, event), token };
    },

    async revoke(id) {
      const revoked = await apiKeys.revoke(id, proveRevoked, commandLineEvent('key.revoke', null));
      if (revoked === undefined) {
        throw new OperatorError('refused', `There is no API key ${id}; "key list" shows those there are.`);
      }
      return revoked;
    },
  };
}

/** The row of a new key: everything the store keeps, its token's hash and the MAC over it all included. */
export function proveApiKey(
  proof: ApiKeyProof,
  token: string,
  key: Pick<ApiKey, 'accountId' | 'name' | 'rights' | 'createdAt' | 'expiresAt'>,
): NewApiKey {
  const row = { ...key, hint: tokenHint(token), revokedAt: null, tokenHash: proof.hashToken(token) };
  return { ...row, rowMac: proof.rowMac(row) };
}
