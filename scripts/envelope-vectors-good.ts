// The test vectors that open, and the bricks they are made of: node:crypto alone, so that they judge our own code.
// Keys and nonces are derived from labels, so that the vectors are always the same.

import { type CipherGCMTypes, createCipheriv, hash } from 'node:crypto';

export type Field = { readonly field: string } & ({ readonly string: string } | { readonly number: number });

interface Seal {
  readonly key: Buffer;
  readonly associatedData: Buffer;
  readonly nonce: Buffer;
  readonly plaintext: Buffer;
  readonly format?: number;
  readonly tagBytes?: number;
  readonly algorithm?: 'aes-256-gcm' | 'aes-128-gcm' | 'chacha20-poly1305';
}

export const FORMAT = 0x01;
export const NONCE_BYTES = 12;
export const HEADER_BYTES = 1 + NONCE_BYTES;
export const TAG_BYTES = 16;

export function derive(label: string, bytes = 32): Buffer {
  return hash('sha256', `secret-manager test vector: ${label}`, 'buffer').subarray(0, bytes);
}

export function lengthPrefixed(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

export function numberBytes(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

export function fieldBytes(field: Field): Buffer {
  return 'string' in field ? Buffer.from(field.string) : numberBytes(field.number);
}

export function encode(fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.map((field) => lengthPrefixed(fieldBytes(field))));
}

export function seal(request: Seal): Buffer {
  const { key, associatedData, nonce, plaintext, format = FORMAT, tagBytes = TAG_BYTES } = request;
  const algorithm = (request.algorithm ?? 'aes-256-gcm') as CipherGCMTypes;
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
  cipher.setAAD(associatedData, { plaintextLength: plaintext.length });
  const body = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([Buffer.from([format]), nonce, body, cipher.getAuthTag()]);
}

export const ROOT_KEY = derive('root key');
export const DATA_KEY = derive('data key of account 3, version 1');

export interface Identity {
  readonly account: number;
  readonly dataKeyVersion: number;
  readonly list: number;
  readonly id: number;
  readonly key: string;
  readonly version: number;
}

export const IDENTITY: Identity = { account: 3, dataKeyVersion: 1, list: 7, id: 12, key: 'API_KEY', version: 2 };

export function valueFields(identity: Identity): Field[] {
  return [
    { field: 'domain', string: 'secret-manager/value/v1' },
    { field: 'account id', number: identity.account },
    { field: 'data key version', number: identity.dataKeyVersion },
    { field: 'list id', number: identity.list },
    { field: 'value id', number: identity.id },
    { field: 'secret key', string: identity.key },
    { field: 'value version', number: identity.version },
  ];
}

export function dataKeyFields(account: number, version: number): Field[] {
  return [
    { field: 'domain', string: 'secret-manager/wrapped-key/v1' },
    { field: 'kind', string: 'data' },
    { field: 'account id', number: account },
    { field: 'data key version', number: version },
  ];
}

function systemKeyFields(kind: string): Field[] {
  return [
    { field: 'domain', string: 'secret-manager/wrapped-key/v1' },
    { field: 'kind', string: kind },
  ];
}

export interface Good {
  readonly name: string;
  readonly key: Buffer;
  readonly fields: readonly Field[];
  readonly associatedData: Buffer;
  readonly nonce: Buffer;
  readonly plaintext: Buffer;
  readonly blob: Buffer;
}

function good(name: string, key: Buffer, fields: readonly Field[], plaintext: Buffer): Good {
  const made = { key, associatedData: encode(fields), nonce: derive(`nonce of ${name}`, NONCE_BYTES), plaintext };
  return { name, fields, ...made, blob: seal(made) };
}

export const TEXT = Buffer.from('correct horse battery staple');
const ACCENTED = valueFields({ ...IDENTITY, key: 'cl\u00e9 \u{1f511}' });
const LARGEST = Number.MAX_SAFE_INTEGER;
const LARGEST_IDENTITY = {
  account: LARGEST,
  dataKeyVersion: LARGEST,
  list: LARGEST,
  id: LARGEST,
  key: 'k'.repeat(255),
  version: LARGEST,
};

export const VALUE = good('a value', DATA_KEY, valueFields(IDENTITY), TEXT);
export const WRAPPED_DATA_KEY = good('a wrapped data key', ROOT_KEY, dataKeyFields(3, 1), DATA_KEY);
export const WRAPPED_TOKEN_KEY = good(
  'the wrapped key of token hashes',
  ROOT_KEY,
  systemKeyFields('api-key-tokens'),
  derive('key of token hashes'),
);
export const WRAPPED_ROW_KEY = good(
  'the wrapped key of API key rows',
  ROOT_KEY,
  systemKeyFields('api-key-rows'),
  derive('key of API key rows'),
);
export const GOOD: readonly Good[] = [
  VALUE,
  good('an empty value', DATA_KEY, valueFields({ ...IDENTITY, id: 13, key: 'EMPTY', version: 1 }), Buffer.alloc(0)),
  good('a value and a secret key beyond ASCII', DATA_KEY, ACCENTED, Buffer.from('p\u00e4ssw\u00f6rd \u{1f511}\n\0')),
  good('the largest numbers and the longest key', DATA_KEY, valueFields(LARGEST_IDENTITY), TEXT),
  WRAPPED_DATA_KEY,
  WRAPPED_TOKEN_KEY,
  WRAPPED_ROW_KEY,
];
