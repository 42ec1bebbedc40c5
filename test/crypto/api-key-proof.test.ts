// What the store keeps of an API key: whoever can write there but hasn't the keys can neither mint nor widen one.

import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createApiKeyProof, type ProvableApiKey } from '../../src/crypto/api-key-proof.ts';
import type { StoredApiKey } from '../../src/domain/accounts.ts';
import { anyText } from './any-text.ts';
import { keyOf, withFlipped } from './known-keys.ts';

const proof = createApiKeyProof(keyOf(1), keyOf(2));
const TOKEN = 'a-key-of-the-tests-and-of-nothing-else';

const ROW: ProvableApiKey = {
  accountId: 1,
  name: 'deploy',
  hint: 'smk_abcdef',
  rights: 'read',
  tokenHash: proof.hashToken(TOKEN),
  createdAt: '2026-01-01T00:00:00.000Z',
  expiresAt: '2026-02-01T00:00:00.000Z',
  revokedAt: '2026-01-15T00:00:00.000Z',
};

function stored(row: ProvableApiKey): StoredApiKey {
  return { ...row, id: 1, rowMac: proof.rowMac(row) };
}

describe('the hash of a token', () => {
  test('is the HMAC-SHA256 of its text, always the same', () => {
    const expected = createHmac('sha256', Buffer.alloc(32, 1)).update(TOKEN).digest();
    expect(proof.hashToken(TOKEN).equals(expected)).toBe(true);
  });

  test('differs for another token and under another key', () => {
    expect(proof.hashToken(`${TOKEN}x`).equals(ROW.tokenHash)).toBe(false);
    expect(createApiKeyProof(keyOf(3), keyOf(2)).hashToken(TOKEN).equals(ROW.tokenHash)).toBe(false);
  });

  test('cannot be made with the key of the rows', () => {
    expect(createApiKeyProof(keyOf(2), keyOf(1)).hashToken(TOKEN).equals(ROW.tokenHash)).toBe(false);
  });
});

const OPEN_ENDED: ProvableApiKey = { ...ROW, hint: null, expiresAt: null, revokedAt: null };

const CHANGES: readonly Partial<StoredApiKey>[] = [
  { accountId: 2 },
  { accountId: 0 },
  { name: 'Deploy' },
  { name: '' },
  { hint: 'smk_abcdeg' },
  { hint: null },
  { hint: '' },
  { rights: 'write' },
  { rights: '' as 'read' },
  { createdAt: '2026-01-01T00:00:00.001Z' },
  { expiresAt: '2027-02-01T00:00:00.000Z' },
  { expiresAt: null },
  { expiresAt: '' },
  { revokedAt: '2026-01-15T00:00:00.001Z' },
  { revokedAt: null },
  { revokedAt: '' },
];

const OPEN_ENDED_CHANGES: readonly Partial<StoredApiKey>[] = [
  { hint: 'smk_abcdef' },
  { hint: '' },
  { expiresAt: '2027-02-01T00:00:00.000Z' },
  { expiresAt: '' },
  { revokedAt: '2026-01-15T00:00:00.000Z' },
  { revokedAt: '' },
];

describe('a row', () => {
  test('is genuine as it was made, under any id', () => {
    for (const row of [ROW, OPEN_ENDED]) {
      expect(proof.isGenuine(stored(row))).toBe(true);
      expect(proof.isGenuine({ ...stored(row), id: 99 })).toBe(true);
    }
  });

  test.each(CHANGES)('is not genuine with %j instead', (change) => {
    expect(proof.isGenuine({ ...stored(ROW), ...change })).toBe(false);
  });

  test.each(OPEN_ENDED_CHANGES)('without expiry, revocation and hint is not genuine with %j instead', (change) => {
    expect(proof.isGenuine({ ...stored(OPEN_ENDED), ...change })).toBe(false);
  });

  test('is not genuine with a byte of its hash or its MAC changed', () => {
    const row = stored(ROW);
    for (let index = 0; index < 32; index += 1) {
      expect(proof.isGenuine({ ...row, tokenHash: withFlipped(row.tokenHash, index) })).toBe(false);
      expect(proof.isGenuine({ ...row, rowMac: withFlipped(row.rowMac, index) })).toBe(false);
    }
  });

  test.each([0, 1, 16, 31, 33, 64])('is not genuine with a MAC of %i bytes', (length) => {
    const row = stored(ROW);
    const rowMac = Buffer.concat([row.rowMac, row.rowMac]).subarray(0, length);
    expect(proof.isGenuine({ ...row, rowMac })).toBe(false);
  });

  test('is not genuine with the MAC of another row or of another key', () => {
    const row = stored(ROW);
    expect(proof.isGenuine({ ...row, rowMac: proof.rowMac(OPEN_ENDED) })).toBe(false);
    expect(proof.isGenuine({ ...row, rowMac: createApiKeyProof(keyOf(1), keyOf(3)).rowMac(ROW) })).toBe(false);
    expect(proof.isGenuine({ ...row, rowMac: createApiKeyProof(keyOf(2), keyOf(1)).rowMac(ROW) })).toBe(false);
  });

  test('is not genuine with characters moved from one column to the next', () => {
    const moved = { ...ROW, name: 'deployread', rights: '' as 'read' };
    expect(proof.isGenuine({ ...moved, id: 1, rowMac: proof.rowMac(ROW) })).toBe(false);
  });

  test('of any content is genuine, and any other content is not', () => {
    const text = anyText({ maxLength: 20 });
    const optional = fc.option(text.filter((value) => value !== ''));
    const rows = fc.record({
      accountId: fc.nat({ max: 3 }),
      name: text,
      hint: optional,
      rights: fc.constantFrom('read' as const, 'write' as const),
      tokenHash: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      createdAt: text,
      expiresAt: optional,
      revokedAt: optional,
    });
    fc.assert(
      fc.property(rows, rows, (one, other) => {
        expect(proof.isGenuine(stored(one))).toBe(true);
        const isAlike = JSON.stringify(one) === JSON.stringify(other);
        expect(proof.isGenuine({ ...other, id: 1, rowMac: proof.rowMac(one) })).toBe(isAlike);
      }),
      { numRuns: 50 },
    );
  });
});
