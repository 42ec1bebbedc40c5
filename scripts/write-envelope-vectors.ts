// Writes docs/envelope-vectors.json, or the file that is named: what opens, and what must not. Always the same bytes.

import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GOOD, ROOT_KEY } from './envelope-vectors-good.ts';
import { MALFORMED } from './envelope-vectors-malformed.ts';

function fingerprintOf(rootKey: Buffer): string {
  return createHmac('sha256', rootKey).update('secret-manager/root-key-fingerprint/v1').digest('hex').slice(0, 16);
}

const hex = (bytes: Buffer) => bytes.toString('hex');

const VECTORS = {
  about:
    'Test vectors of docs/envelope.md. Bytes are hexadecimal. Each of "good" opens to its plaintext; each of "malformed" must be refused.',
  fingerprints: [ROOT_KEY, Buffer.alloc(32), Buffer.alloc(32, 1)].map((rootKey) => ({
    root_key: hex(rootKey),
    fingerprint: fingerprintOf(rootKey),
  })),
  good: GOOD.map(({ name, key, fields, associatedData, nonce, plaintext, blob }) => ({
    name,
    key: hex(key),
    associated_data_fields: fields,
    associated_data: hex(associatedData),
    nonce: hex(nonce),
    plaintext: hex(plaintext),
    blob: hex(blob),
  })),
  malformed: MALFORMED.map(({ why, key, associatedData, blob }) => ({
    why,
    key: hex(key),
    associated_data: hex(associatedData),
    blob: hex(blob),
  })),
};

const target = process.argv[2] ?? join(import.meta.dirname, '../docs/envelope-vectors.json');
writeFileSync(target, `${JSON.stringify(VECTORS, null, 2)}\n`);
