// What the store keeps instead of a token: its keyed hash, and a MAC over the row, so that somebody who can write to
// the database but hasn't the root key can neither mint a key nor widen one.

import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { ApiKey, StoredApiKey } from '../domain/accounts.ts';
import { encodeFields } from './associated-data.ts';

const ROW_DOMAIN = 'secret-manager/api-key-row/v1';

/** What the MAC covers: all of a key but the id, which the store gives when it inserts the row. */
export type ProvableApiKey = Omit<ApiKey, 'id'> & Pick<StoredApiKey, 'tokenHash'>;

export interface ApiKeyProof {
  /** HMAC-SHA256 of the token, 32 bytes: the same token always has the same. */
  hashToken(token: string): Buffer;
  rowMac(key: ProvableApiKey): Buffer;
  isGenuine(key: StoredApiKey): boolean;
}

export function createApiKeyProof(tokenKey: KeyObject, rowKey: KeyObject): ApiKeyProof {
  function rowMac(key: ProvableApiKey): Buffer {
    const fields = encodeFields([
      ROW_DOMAIN,
      key.accountId,
      key.tokenHash,
      key.name,
      key.rights,
      key.hint,
      key.createdAt,
      key.expiresAt,
      key.revokedAt,
    ]);
    return createHmac('sha256', rowKey).update(fields).digest();
  }

  return {
    hashToken: (token) => createHmac('sha256', tokenKey).update(token).digest(),
    rowMac,
    isGenuine: (key) => key.rowMac.length === 32 && timingSafeEqual(key.rowMac, rowMac(key)),
  };
}
