// The bytes that bind a seal to what it belongs to, encoded so that no two different lists of fields are alike.

/** The length of a field that is absent, which no field has. */
const ABSENT = 0xffffffff;
const LENGTH_BYTES = 4;
const NUMBER_BYTES = 8;
const TWO_TO_32 = 2 ** 32;

type Field = string | number | Uint8Array | null;

/**
 * Strings are UTF-8, numbers unsigned 64-bit big-endian; each field is preceded by its length in 4 bytes, big-endian.
 * null is the length 0xffffffff with nothing behind it, and so differs from an empty field. Throws RangeError for a
 * number that isn't a safe integer from 0 on.
 */
export function encodeFields(fields: readonly Field[]): Buffer {
  let bytes = 0;
  for (const field of fields) bytes += LENGTH_BYTES + byteLength(field);
  const encoded = Buffer.allocUnsafe(bytes);
  let offset = 0;
  for (const field of fields) {
    const length = writeField(encoded, field, offset + LENGTH_BYTES);
    encoded.writeUInt32BE(field === null ? ABSENT : length, offset);
    offset += LENGTH_BYTES + length;
  }
  return encoded;
}

function byteLength(field: Field): number {
  if (typeof field === 'string') return Buffer.byteLength(field);
  if (typeof field === 'number') return NUMBER_BYTES;
  return field === null ? 0 : field.length;
}

/** Returns how many bytes it took. */
function writeField(encoded: Buffer, field: Field, offset: number): number {
  if (typeof field === 'string') return encoded.write(field, offset);
  if (typeof field === 'number') return writeNumber(encoded, field, offset);
  if (field === null) return 0;
  encoded.set(field, offset);
  return field.length;
}

function writeNumber(encoded: Buffer, value: number, offset: number): number {
  if (!Number.isSafeInteger(value)) throw new RangeError('a field is not a safe integer');
  encoded.writeUInt32BE(Math.floor(value / TWO_TO_32), offset);
  encoded.writeUInt32BE(value % TWO_TO_32, offset + LENGTH_BYTES);
  return NUMBER_BYTES;
}
