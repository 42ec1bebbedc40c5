// A chain for stores that a test opens without a server: under a key of its own, and without a file head.

import { createSecretKey } from 'node:crypto';
import { type AuditChain, createAuditChain } from '../../src/crypto/audit-chain.ts';
import type { Storage } from '../../src/storage/storage.ts';

export const TEST_CHAIN: AuditChain = createAuditChain(createSecretKey(Buffer.alloc(32, 5)));

export function followTrail<T extends Pick<Storage, 'audit'>>(storage: T): T {
  let lastKnownId = 0;
  storage.audit.follow({
    hash: TEST_CHAIN.hash,
    commitMac: TEST_CHAIN.commitMac,
    lastKnownId: () => lastKnownId,
    committed({ eventId }) {
      lastKnownId = eventId;
    },
    tailMissing: () => undefined,
  });
  return storage;
}
