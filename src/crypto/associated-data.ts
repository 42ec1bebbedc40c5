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
  const lengths = fields.map(byteLength);
  const encoded = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + LENGTH_BYTES + length, 0));
  let offset = 0;
  for (const [i, field] of fields.entries()) {
    const length = lengths[i] as number;
    offset = encoded.writeUInt32BE(field === null ? ABSENT : length, offset);
    writeField(encoded, field, offset);
    offset += length;
  }
  return encoded;
}

function byteLength(field: Field): number {
  if (field === null) return 0;
  if (typeof field === 'number') return NUMBER_BYTES;
  return typeof field === 'string' ? Buffer.byteLength(field) : field.length;
}

function writeField(encoded: Buffer, field: Field, offset: number): void {
  if (typeof field === 'string') encoded.write(field, offset);
  else if (typeof field === 'number') writeNumber(encoded, field, offset);
  else if (field !== null) encoded.set(field, offset);
}

function writeNumber(encoded: Buffer, value: number, offset: number): void {
  if (!Number.isSafeInteger(value)) throw new RangeError('a field is not a safe integer');
  encoded.writeUInt32BE(Math.floor(value / TWO_TO_32), offset);
  encoded.writeUInt32BE(value % TWO_TO_32, offset + LENGTH_BYTES);
}
