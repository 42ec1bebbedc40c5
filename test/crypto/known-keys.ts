// What the tests of sealing share: keys of known bytes, and a blob with one byte changed.

import { createSecretKey, type KeyObject } from 'node:crypto';

/** 32 equal bytes. */
export function keyOf(byte: number, length = 32): KeyObject {
  return createSecretKey(Buffer.alloc(length, byte));
}

/** A copy whose byte at the index is combined with the mask by exclusive or. */
export function withFlipped(bytes: Uint8Array, index: number, mask = 1): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(index) ^ mask, index);
  return changed;
}
