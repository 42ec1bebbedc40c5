// Seals bytes with AES-256-GCM (NIST SP 800-38D) and opens them again. The format is docs/envelope.md; its test
// vectors are docs/envelope-vectors.json.

import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';

const ALGORITHM = 'aes-256-gcm';
const FORMAT = 0x01;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + NONCE_BYTES;
const CIPHER_OPTIONS = { authTagLength: TAG_BYTES };

/** A sealed blob that is not what was sealed, or not in the place it was sealed for. Holds nothing of its content. */
export class SealBrokenError extends Error {
  override readonly name = 'SealBrokenError';

  constructor() {
    super('A sealed record does not open: it was changed, moved or sealed under another key.');
  }
}

/**
 * Seals `plain` under a 32-byte key: 0x01 | nonce 12 | ciphertext | tag 16.
 * The nonce is random, so one key may seal MAX_SEALS_PER_KEY times at most.
 */
export function seal(key: KeyObject, plain: Uint8Array, associatedData: Uint8Array): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header[0] = FORMAT;
  const nonce = randomBytes(NONCE_BYTES);
  nonce.copy(header, 1);
  const cipher = createCipheriv(ALGORITHM, key, nonce, CIPHER_OPTIONS);
  cipher.setAAD(associatedData);
  const body = cipher.update(plain);
  cipher.final();
  return Buffer.concat([header, body, cipher.getAuthTag()]);
}

/** Opens what `seal` made. Throws SealBrokenError on any other blob, key or associated data. */
export function open(key: KeyObject, sealed: Uint8Array, associatedData: Uint8Array): Buffer {
  if (sealed.length < HEADER_BYTES + TAG_BYTES || sealed[0] !== FORMAT) throw new SealBrokenError();
  const bodyEnd = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv(ALGORITHM, key, sealed.subarray(1, HEADER_BYTES), CIPHER_OPTIONS);
  decipher.setAAD(associatedData);
  decipher.setAuthTag(sealed.subarray(bodyEnd));
  const plain = decipher.update(sealed.subarray(HEADER_BYTES, bodyEnd));
  try {
    decipher.final();
  } catch {
    plain.fill(0);
    throw new SealBrokenError();
  }
  return plain;
}
