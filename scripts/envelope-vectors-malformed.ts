// The test vectors that must be refused, each with its reason.

import {
  DATA_KEY,
  dataKeyFields,
  derive,
  encode,
  type Field,
  FORMAT,
  fieldBytes,
  GOOD,
  type Good,
  HEADER_BYTES,
  IDENTITY,
  type Identity,
  lengthPrefixed,
  NONCE_BYTES,
  numberBytes,
  ROOT_KEY,
  seal,
  TAG_BYTES,
  TEXT,
  VALUE,
  valueFields,
  WRAPPED_DATA_KEY,
  WRAPPED_ROW_KEY,
  WRAPPED_TOKEN_KEY,
} from './envelope-vectors-good.ts';

export interface Malformed {
  readonly why: string;
  readonly key: Buffer;
  readonly associatedData: Buffer;
  readonly blob: Buffer;
}

function malformed(why: string, changes: Partial<Malformed>, of = VALUE): Malformed {
  return { why, key: of.key, associatedData: of.associatedData, blob: of.blob, ...changes };
}

function flipped(bytes: Buffer, index: number, mask = 1): Buffer {
  const changed = Buffer.from(bytes);
  const at = index < 0 ? bytes.length + index : index;
  changed.writeUInt8(changed.readUInt8(at) ^ mask, at);
  return changed;
}

function formats(): Malformed[] {
  const { blob } = VALUE;
  return [
    ...[0x00, 0x02, 0x31, 0x81, 0xff].map((format) =>
      malformed(`the format byte is 0x${format.toString(16).padStart(2, '0')}, and the rest was sealed so`, {
        blob: seal({ ...VALUE, format }),
      }),
    ),
    malformed('the format byte is missing', { blob: blob.subarray(1) }),
    malformed('the blob is base64 text', { blob: Buffer.from(blob.toString('base64')) }),
    malformed('the blob is hexadecimal text', { blob: Buffer.from(blob.toString('hex')) }),
  ];
}

function lengths(): Malformed[] {
  const { blob, nonce } = VALUE;
  const body = blob.subarray(HEADER_BYTES, -TAG_BYTES);
  const tag = blob.subarray(-TAG_BYTES);
  const join = (...parts: Buffer[]) => Buffer.concat([Buffer.from([FORMAT]), ...parts]);
  return [
    malformed('the blob is empty', { blob: Buffer.alloc(0) }),
    malformed('nothing but the format byte', { blob: blob.subarray(0, 1) }),
    malformed('nothing but format and nonce', { blob: blob.subarray(0, HEADER_BYTES) }),
    malformed('one byte shorter than an empty secret', { blob: blob.subarray(0, HEADER_BYTES + TAG_BYTES - 1) }),
    malformed('cut to the length of an empty secret', { blob: blob.subarray(0, HEADER_BYTES + TAG_BYTES) }),
    malformed('the last byte is missing', { blob: blob.subarray(0, -1) }),
    malformed('the tag is missing', { blob: blob.subarray(0, -TAG_BYTES) }),
    malformed('the ciphertext is missing', { blob: join(nonce, tag) }),
    malformed('the first byte of the ciphertext is missing', { blob: join(nonce, body.subarray(1), tag) }),
    malformed('the last byte of the ciphertext is missing', { blob: join(nonce, body.subarray(0, -1), tag) }),
    malformed('the nonce is one byte short', { blob: join(nonce.subarray(1), body, tag) }),
    malformed('a zero byte after the tag', { blob: Buffer.concat([blob, Buffer.alloc(1)]) }),
    malformed('16 zero bytes after the tag', { blob: Buffer.concat([blob, Buffer.alloc(TAG_BYTES)]) }),
    malformed('a zero byte between nonce and ciphertext', { blob: join(nonce, Buffer.alloc(1), body, tag) }),
    malformed('the blob twice', { blob: Buffer.concat([blob, blob]) }),
    malformed('the tag stands before the ciphertext', { blob: join(nonce, tag, body) }),
    malformed('the nonce stands at the end', { blob: join(body, tag, nonce) }),
  ];
}

function bits(): Malformed[] {
  const { blob } = VALUE;
  const middle = HEADER_BYTES + Math.floor(TEXT.length / 2);
  return [
    malformed('a bit of the first byte of the nonce is flipped', { blob: flipped(blob, 1) }),
    malformed('a bit of the last byte of the nonce is flipped', { blob: flipped(blob, NONCE_BYTES) }),
    malformed('a bit of the first byte of the ciphertext is flipped', { blob: flipped(blob, HEADER_BYTES) }),
    malformed('a bit in the middle of the ciphertext is flipped', { blob: flipped(blob, middle, 0x80) }),
    malformed('a bit of the last byte of the ciphertext is flipped', { blob: flipped(blob, -TAG_BYTES - 1) }),
    malformed('a bit of the first byte of the tag is flipped', { blob: flipped(blob, -TAG_BYTES) }),
    malformed('a bit of the last byte of the tag is flipped', { blob: flipped(blob, -1, 0x80) }),
    malformed('the tag is zeros', { blob: Buffer.concat([blob.subarray(0, -TAG_BYTES), Buffer.alloc(TAG_BYTES)]) }),
    malformed('everything behind the format byte is zeros', {
      blob: Buffer.concat([Buffer.from([FORMAT]), Buffer.alloc(blob.length - 1)]),
    }),
  ];
}

function tags(): Malformed[] {
  const padded = seal({ ...VALUE, tagBytes: 4 });
  return [
    ...[4, 8, 12, 13, 14].map((tagBytes) =>
      malformed(`the tag is genuine but of ${tagBytes} bytes`, { blob: seal({ ...VALUE, tagBytes }) }),
    ),
    malformed('the tag is genuine but of 4 bytes, filled up with zeros', {
      blob: Buffer.concat([padded, Buffer.alloc(TAG_BYTES - 4)]),
    }),
  ];
}

function ciphers(): Malformed[] {
  return [
    malformed('sealed with AES-128-GCM under the first half of the key', {
      blob: seal({ ...VALUE, algorithm: 'aes-128-gcm', key: VALUE.key.subarray(0, 16) }),
    }),
    malformed('sealed with ChaCha20-Poly1305', { blob: seal({ ...VALUE, algorithm: 'chacha20-poly1305' }) }),
    malformed('sealed with a nonce of 16 bytes', { blob: seal({ ...VALUE, nonce: derive('a long nonce', 16) }) }),
    malformed('not encrypted at all', {
      blob: Buffer.concat([Buffer.from([FORMAT]), VALUE.nonce, TEXT, Buffer.alloc(TAG_BYTES)]),
    }),
  ];
}

function keys(): Malformed[] {
  return [
    malformed('another key', { key: derive('another key') }),
    malformed('a key that is one bit off', { key: flipped(VALUE.key, 31) }),
    malformed('the root key instead of the data key', { key: ROOT_KEY }),
    malformed('a key of zeros', { key: Buffer.alloc(32) }),
    malformed('the key of version 2 of the same account', { key: derive('data key of account 3, version 2') }),
  ];
}

function places(): Malformed[] {
  const changes: Readonly<Record<string, Partial<Identity>>> = {
    'in another account': { account: 4 },
    'under another version of the data key': { dataKeyVersion: 2 },
    'in another list': { list: 8 },
    'at another id': { id: 13 },
    'under another secret key': { key: 'API_KEY2' },
    'under the secret key in small letters': { key: 'api_key' },
    'under the secret key with a space behind it': { key: 'API_KEY ' },
    'under no secret key': { key: '' },
    'as the version before': { version: 1 },
    'as the version after': { version: 3 },
    'with list id and value id exchanged': { list: 12, id: 7 },
    'with account id and list id exchanged': { account: 7, list: 3 },
    'with both versions exchanged': { dataKeyVersion: 2, version: 1 },
  };
  const decomposed = { ...IDENTITY, key: 'cle\u0301 \u{1f511}' };
  const [, empty, accented] = GOOD as [Good, Good, Good];
  return [
    ...Object.entries(changes).map(([where, change]) =>
      malformed(`opened ${where}`, { associatedData: encode(valueFields({ ...IDENTITY, ...change })) }),
    ),
    malformed(
      'opened under the secret key in decomposed form',
      { associatedData: encode(valueFields(decomposed)) },
      accented,
    ),
    malformed('the blob of another value', { blob: empty.blob }),
    malformed('opened in the place of another value', {}, { ...VALUE, associatedData: empty.associatedData }),
  ];
}

/** Sealed with the right fields in the wrong form. */
function encodings(): Malformed[] {
  const fields = valueFields(IDENTITY);
  const [domain, ...rest] = fields as [Field, ...Field[]];
  const sealedFor = (associatedData: Buffer) => ({ blob: seal({ ...VALUE, associatedData }) });
  const reversed = (bytes: Buffer) => Buffer.from(bytes).reverse();
  const littleEndianLength = (bytes: Buffer) => Buffer.concat([reversed(lengthPrefixed(bytes).subarray(0, 4)), bytes]);
  const withNumbers = (form: (value: number) => Buffer) =>
    Buffer.concat(fields.map((field) => lengthPrefixed('number' in field ? form(field.number) : fieldBytes(field))));
  return [
    malformed('sealed without associated data', sealedFor(Buffer.alloc(0))),
    malformed('opened without associated data', { associatedData: Buffer.alloc(0) }),
    malformed('sealed with fields that have no lengths', sealedFor(Buffer.concat(fields.map(fieldBytes)))),
    malformed(
      'sealed with little-endian lengths',
      sealedFor(Buffer.concat(fields.map((field) => littleEndianLength(fieldBytes(field))))),
    ),
    malformed('sealed with little-endian numbers', sealedFor(withNumbers((value) => reversed(numberBytes(value))))),
    malformed('sealed with numbers of 4 bytes', sealedFor(withNumbers((value) => numberBytes(value).subarray(4)))),
    malformed('sealed with numbers as decimal text', sealedFor(withNumbers((value) => Buffer.from(String(value))))),
    malformed('sealed without the domain', sealedFor(encode(rest))),
    malformed(
      'sealed for the next version of the domain',
      sealedFor(encode([{ field: 'domain', string: 'secret-manager/value/v2' }, ...rest])),
    ),
    malformed('sealed with the fields in another order', sealedFor(encode([domain, ...rest.toReversed()]))),
    malformed('sealed with the last field left out', sealedFor(encode(fields.slice(0, -1)))),
    malformed('sealed with a field more', sealedFor(encode([...fields, { field: 'more', string: '' }]))),
  ];
}

function wrappedKeys(): Malformed[] {
  const asDataKey = (account: number, version: number) => ({ associatedData: encode(dataKeyFields(account, version)) });
  return [
    malformed("a data key in another account's place", asDataKey(4, 1), WRAPPED_DATA_KEY),
    malformed('a data key as its next version', asDataKey(3, 2), WRAPPED_DATA_KEY),
    malformed('a data key with account and version exchanged', asDataKey(1, 3), WRAPPED_DATA_KEY),
    malformed('a data key under another root key', { key: derive('another root key') }, WRAPPED_DATA_KEY),
    malformed('a data key under itself', { key: DATA_KEY }, WRAPPED_DATA_KEY),
    malformed('a data key as the key of token hashes', { blob: WRAPPED_DATA_KEY.blob }, WRAPPED_TOKEN_KEY),
    malformed('the key of rows as the key of token hashes', { blob: WRAPPED_ROW_KEY.blob }, WRAPPED_TOKEN_KEY),
    malformed('the key of token hashes as the key of rows', { blob: WRAPPED_TOKEN_KEY.blob }, WRAPPED_ROW_KEY),
    malformed('a wrapped data key where a value is expected', { blob: WRAPPED_DATA_KEY.blob, key: ROOT_KEY }),
    malformed('a wrapped key with a bit flipped', { blob: flipped(WRAPPED_DATA_KEY.blob, 20) }, WRAPPED_DATA_KEY),
    malformed('a wrapped key cut by 16 bytes', { blob: WRAPPED_DATA_KEY.blob.subarray(0, -16) }, WRAPPED_DATA_KEY),
  ];
}

export const MALFORMED = [
  ...formats(),
  ...lengths(),
  ...bits(),
  ...tags(),
  ...ciphers(),
  ...keys(),
  ...places(),
  ...encodings(),
  ...wrappedKeys(),
];
