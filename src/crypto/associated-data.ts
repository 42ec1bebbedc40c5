// The bytes that bind a seal to what it belongs to, encoded so that no two different lists of fields are alike.

/** The length of a field that is absent, which no field has. */
const ABSENT = 0xffffffff;

/**
 * Strings are UTF-8, numbers unsigned 64-bit big-endian; each field is preceded by its length in 4 bytes, big-endian.
 * null is the length 0xffffffff with nothing behind it, and so differs from an empty field.
 */
export function encodeFields(fields: readonly (string | number | Uint8Array | null)[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const field of fields) {
    const bytes = encodeField(field);
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(field === null ? ABSENT : bytes.length);
    parts.push(length, bytes);
  }
  return Buffer.concat(parts);
}

function encodeField(field: string | number | Uint8Array | null): Uint8Array {
  if (typeof field === 'number') return encodeNumber(field);
  return typeof field === 'string' ? Buffer.from(field) : (field ?? new Uint8Array());
}

function encodeNumber(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
