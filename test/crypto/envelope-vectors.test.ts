// docs/envelope-vectors.json, held against our code, against what docs/envelope.md says, and against its script.

import { execFileSync } from 'node:child_process';
import { createDecipheriv, createHmac, createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { encodeFields } from '../../src/crypto/associated-data.ts';
import { open, SealBrokenError } from '../../src/crypto/envelope.ts';
import { createRootKey } from '../../src/crypto/root-key.ts';
import { openValue, type ValueIdentity } from '../../src/crypto/value-seal.ts';
import type { SealedValue } from '../../src/domain/secrets.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

interface Vectors {
  readonly fingerprints: readonly { readonly root_key: string; readonly fingerprint: string }[];
  readonly good: readonly GoodVector[];
  readonly malformed: readonly MalformedVector[];
}

interface MalformedVector {
  readonly why: string;
  readonly key: string;
  readonly associated_data: string;
  readonly blob: string;
}

interface GoodVector extends Omit<MalformedVector, 'why'> {
  readonly name: string;
  readonly associated_data_fields: readonly { field: string; string?: string; number?: number }[];
  readonly nonce: string;
  readonly plaintext: string;
}

const root = join(import.meta.dirname, '../..');
const published = readFileSync(join(root, 'docs/envelope-vectors.json'), 'utf8');
const vectors: Vectors = JSON.parse(published);
const scratch = temporaryDirectory();

const bytes = (hex: string) => Buffer.from(hex, 'hex');

function opened({ key, blob, associated_data }: Omit<MalformedVector, 'why'>): Buffer {
  return open(createSecretKey(bytes(key)), bytes(blob), bytes(associated_data));
}

describe('the published test vectors', () => {
  test('are enough, each of its own, and of whole bytes', () => {
    const { good, malformed } = vectors;
    expect(good.length).toBeGreaterThanOrEqual(4);
    expect(malformed.length).toBeGreaterThanOrEqual(40);
    expect(new Set(malformed.map(({ why }) => why)).size).toBe(malformed.length);
    const triples = [...good, ...malformed].map(
      ({ key, associated_data, blob }) => `${key} ${associated_data} ${blob}`,
    );
    expect(new Set(triples).size).toBe(good.length + malformed.length);
    for (const { key, associated_data, blob } of [...good, ...malformed]) {
      for (const hex of [key, associated_data, blob]) expect(hex).toMatch(/^([0-9a-f]{2})*$/);
      expect(key).toHaveLength(64);
    }
  });

  test('are what their script writes', () => {
    const written = join(scratch, 'vectors.json');
    execFileSync(process.execPath, [join(root, 'scripts/write-envelope-vectors.ts'), written]);
    expect(readFileSync(written, 'utf8')).toBe(published);
  });

  test.each(vectors.fingerprints)('have the fingerprint $fingerprint', ({ root_key, fingerprint }) => {
    expect(createRootKey(bytes(root_key)).fingerprint).toBe(fingerprint);
    const mac = createHmac('sha256', bytes(root_key)).update('secret-manager/root-key-fingerprint/v1').digest();
    expect(mac.subarray(0, 8).toString('hex')).toBe(fingerprint);
  });

  test('hang together: the root key wraps the data key, and the data key seals the value', () => {
    const value = vectors.good.find(({ name }) => name === 'a value');
    const wrapped = vectors.good.find(({ name }) => name === 'a wrapped data key');
    expect(wrapped?.key).toBe(vectors.fingerprints[0]?.root_key);
    expect(wrapped?.plaintext).toBe(value?.key);
  });
});

describe('the good vector', () => {
  test.each(vectors.good)('$name opens', (vector) => {
    expect(opened(vector).toString('hex')).toBe(vector.plaintext);
  });

  test.each(vectors.good)('$name has the associated data of its fields', (vector) => {
    const fields = vector.associated_data_fields.map(({ string, number }) => string ?? number ?? '');
    expect(encodeFields(fields).toString('hex')).toBe(vector.associated_data);
  });

  test.each(vectors.good)('$name opens to somebody who has the documentation alone', (vector) => {
    expect(associatedDataByTheDocumentation(vector)).toBe(vector.associated_data);
    const { nonce, plaintext } = openByTheDocumentation(vector);
    expect(nonce).toBe(vector.nonce);
    expect(plaintext).toBe(vector.plaintext);
  });

  test.each(vectors.good.filter(({ name }) => name.includes('value')))('$name opens as a value', (vector) => {
    const field = Object.fromEntries(
      vector.associated_data_fields.map((each) => [each.field, each.string ?? each.number]),
    );
    const identity = {
      accountId: field['account id'],
      dataKeyVersion: field['data key version'],
      secretListId: field['list id'],
      id: field['value id'],
      secretKey: field['secret key'],
      version: field['value version'],
    } as ValueIdentity;
    const sealed = bytes(vector.blob) as Uint8Array as SealedValue;
    const text = openValue(createSecretKey(bytes(vector.key)), sealed, identity);
    expect(Buffer.from(text).toString('hex')).toBe(vector.plaintext);
  });

  test('of each wrapped key unwraps', () => {
    const unwrapped = (name: string, purpose: Parameters<ReturnType<typeof createRootKey>['unwrap']>[1]) => {
      const vector = vectors.good.find((each) => each.name === name) as GoodVector;
      const key = createRootKey(bytes(vector.key)).unwrap(bytes(vector.blob), purpose);
      expect(key.export().toString('hex')).toBe(vector.plaintext);
    };
    unwrapped('a wrapped data key', { kind: 'data', accountId: 3, version: 1 });
    unwrapped('the wrapped key of token hashes', { kind: 'api-key-tokens' });
    unwrapped('the wrapped key of API key rows', { kind: 'api-key-rows' });
  });
});

describe('the malformed vector is refused', () => {
  test.each(vectors.malformed)('$why', (vector) => {
    expect(() => opened(vector)).toThrow(SealBrokenError);
  });
});

// Written from docs/envelope.md, with nothing of src.

function associatedDataByTheDocumentation({ associated_data_fields }: GoodVector): string {
  return associated_data_fields
    .map(({ string, number }) => {
      const content =
        string === undefined
          ? BigInt(number ?? 0)
              .toString(16)
              .padStart(16, '0')
          : Buffer.from(string, 'utf8').toString('hex');
      return (content.length / 2).toString(16).padStart(8, '0') + content;
    })
    .join('');
}

function openByTheDocumentation({ key, blob, associated_data }: GoodVector) {
  const sealed = bytes(blob);
  expect(sealed.length).toBeGreaterThanOrEqual(29);
  expect(sealed.readUInt8(0)).toBe(0x01);
  const nonce = sealed.subarray(1, 13);
  const decipher = createDecipheriv('aes-256-gcm', bytes(key), nonce, { authTagLength: 16 });
  decipher.setAAD(bytes(associated_data));
  decipher.setAuthTag(sealed.subarray(sealed.length - 16));
  const plaintext = decipher.update(sealed.subarray(13, sealed.length - 16), undefined, 'hex') + decipher.final('hex');
  return { nonce: nonce.toString('hex'), plaintext };
}
