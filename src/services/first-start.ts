// What the very first start of a store makes: its keys, the account `default`, and that account's first API key.

import { generateToken } from '../crypto/api-key-token.ts';
import { DEFAULT_ACCOUNT_NAME } from '../domain/accounts.ts';
import { FIRST_DATA_KEY_VERSION } from './accounts-service.ts';
import { proveApiKey } from './api-keys-service.ts';
import { beginTrail, type TrailDependencies } from './audit-start.ts';
import { newWrappedDataKey, newWrappedSystemKeys, unwrapApiKeyProof } from './keyring.ts';

const FIRST_KEY_NAME = 'first';

/**
 * Initialises an empty store in one step and returns the token of the first key; it can't be shown again.
 * `chosenToken` is the person's own, undefined to generate one.
 */
export async function initialiseStore(trail: TrailDependencies, chosenToken: string | undefined): Promise<string> {
  const { keys, rootKeys } = trail;
  const token = chosenToken ?? generateToken();
  const rootKey = rootKeys.current;
  const systemKeys = newWrappedSystemKeys(rootKey);
  const proof = unwrapApiKeyProof(rootKeys, systemKeys);
  beginTrail(trail, systemKeys['audit-chain']);
  const occurredAt = new Date().toISOString();
  await keys.initialise(
    {
      rootKeyFingerprint: rootKey.fingerprint,
      systemKeys,
      accountName: DEFAULT_ACCOUNT_NAME,
      wrapDataKey: (accountId) => newWrappedDataKey(rootKey, accountId, FIRST_DATA_KEY_VERSION),
      proveApiKey: (accountId) =>
        proveApiKey(proof, token, {
          accountId,
          name: FIRST_KEY_NAME,
          rights: 'write',
          createdAt: occurredAt,
          expiresAt: null,
        }),
    },
    { occurredAt, actor: 'system', accountId: null, apiKeyId: null, requestId: null, address: null },
  );
  return token;
}
