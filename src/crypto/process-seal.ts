// Seals what stays in memory for a while under a key that only this process has, and that ends with it.

import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { MAX_SEALS_PER_KEY } from '../domain/limits.ts';
import { open, seal } from './envelope.ts';

const KEY_BYTES = 32;
const NO_ASSOCIATED_DATA = new Uint8Array();

export interface SealedInMemory {
  readonly key: KeyObject;
  readonly sealed: Buffer;
}

/** Returns what seals; another key takes over before one has sealed too often. */
export function createProcessSeal(maxSealsPerKey = MAX_SEALS_PER_KEY): (plain: Uint8Array) => SealedInMemory {
  let key = newKey();
  let seals = 0;
  return (plain) => {
    if (seals >= maxSealsPerKey) {
      key = newKey();
      seals = 0;
    }
    seals += 1;
    return { key, sealed: seal(key, plain, NO_ASSOCIATED_DATA) };
  };
}

export function openInMemory({ key, sealed }: SealedInMemory): Buffer {
  return open(key, sealed, NO_ASSOCIATED_DATA);
}

function newKey(): KeyObject {
  return createSecretKey(randomBytes(KEY_BYTES));
}
