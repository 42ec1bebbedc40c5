// The bytes that bind a seal to what it belongs to, encoded so that no two different lists of fields are alike.

/** Strings are UTF-8, numbers unsigned 64-bit big-endian; each field is preceded by its length in 4 bytes, big-endian. */
export function encodeFields(fields: readonly (string | number | Uint8Array)[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const field of fields) {
    const bytes = typeof field === 'number' ? encodeNumber(field) : Buffer.from(field as string);
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(bytes.length);
    parts.push(length, bytes);
  }
  return Buffer.concat(parts);
}

function encodeNumber(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
