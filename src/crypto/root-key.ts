// The root key (KEK): it wraps the other keys and seals nothing else. Lives outside the database.

import { createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { encodeFields } from './associated-data.ts';
import { open, seal } from './envelope.ts';

const FINGERPRINT_DOMAIN = 'secret-manager/root-key-fingerprint/v1';
const WRAP_DOMAIN = 'secret-manager/wrapped-key/v1';
const FINGERPRINT_BYTES = 8;

export const KEY_BYTES = 32;

/** What a wrapped key is for; bound into the wrap, so that one wrapped key can't stand in for another. */
export type KeyPurpose =
  | { readonly kind: 'data'; readonly accountId: number; readonly version: number }
  | { readonly kind: 'api-key-tokens' | 'api-key-rows' | 'audit-chain' };

export interface RootKey {
  /** First 8 bytes of HMAC-SHA256(root key, domain), in hex: tells root keys apart, tells nothing of them. */
  readonly fingerprint: string;
  /** Makes a new random key of 32 bytes and returns it wrapped. */
  newWrappedKey(purpose: KeyPurpose): Buffer;
  /** Wraps a key that was unwrapped from another root key. */
  wrap(unwrapped: KeyObject, purpose: KeyPurpose): Buffer;
  /** Throws SealBrokenError when this root key didn't wrap it, or for another purpose. */
  unwrap(wrapped: Uint8Array, purpose: KeyPurpose): KeyObject;
}

/** Takes exactly 32 bytes and overwrites them. Throws RangeError on another length. */
export function createRootKey(bytes: Buffer): RootKey {
  if (bytes.length !== KEY_BYTES) throw new RangeError(`a root key is ${KEY_BYTES} bytes, not ${bytes.length}`);
  const key = createSecretKey(bytes);
  bytes.fill(0);
  const fingerprint = createHmac('sha256', key)
    .update(FINGERPRINT_DOMAIN)
    .digest()
    .subarray(0, FINGERPRINT_BYTES)
    .toString('hex');

  function wrapBytes(bytes: Buffer, purpose: KeyPurpose): Buffer {
    const wrapped = seal(key, bytes, wrapContext(purpose));
    bytes.fill(0);
    return wrapped;
  }

  return {
    fingerprint,
    newWrappedKey: (purpose) => wrapBytes(randomBytes(KEY_BYTES), purpose),
    wrap: (unwrapped, purpose) => wrapBytes(unwrapped.export(), purpose),
    unwrap(wrapped, purpose) {
      const bytes = open(key, wrapped, wrapContext(purpose));
      const unwrapped = createSecretKey(bytes);
      bytes.fill(0);
      return unwrapped;
    },
  };
}

function wrapContext(purpose: KeyPurpose): Buffer {
  return purpose.kind === 'data'
    ? encodeFields([WRAP_DOMAIN, purpose.kind, purpose.accountId, purpose.version])
    : encodeFields([WRAP_DOMAIN, purpose.kind]);
}
