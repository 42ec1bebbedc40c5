// What chains the audit trail: a hash over each event and the one before it, and MACs that need the root key. So who
// writes to the database without that key can recompute hashes, but seal nothing.

import { createHmac, hash, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { AuditHead, RecordedAuditEvent, SealedAuditHead } from '../domain/audit-events.ts';
import { encodeFields } from './associated-data.ts';

const COMMIT_DOMAIN = 'secret-manager/audit-commit/v1';
const HEAD_DOMAIN = 'secret-manager/audit-head/v1';

export interface AuditChain {
  /** SHA-256, hex. `previous` is the hash of the event before it, CHAIN_START for the very first. */
  hash(previous: string, id: number, event: Omit<RecordedAuditEvent, 'id'>): string;
  /** HMAC-SHA256. Names the first event too, so that none can be put before those of the next commit. */
  commitMac(firstId: number, lastHash: string): Buffer;
  sealHead(head: AuditHead): SealedAuditHead;
  isGenuineHead(head: SealedAuditHead): boolean;
}

/** The hash needs no key: anybody can follow the chain. docs/operations/audit.md has the format. */
export function hashAuditEvent(previous: string, id: number, event: Omit<RecordedAuditEvent, 'id'>): string {
  const { target } = event;
  const content = [
    previous,
    id,
    event.occurredAt,
    event.actor,
    event.accountId,
    event.apiKeyId,
    event.action,
    target === null ? null : target.kind,
    target === null ? null : target.id,
    target === null ? null : target.parentId,
    event.outcome,
    event.reason,
    event.requestId,
    event.address,
    event.occurrences,
  ];
  return hash('sha256', JSON.stringify(content));
}

export function createAuditChain(key: KeyObject): AuditChain {
  const mac = (fields: Parameters<typeof encodeFields>[0]) =>
    createHmac('sha256', key).update(encodeFields(fields)).digest();
  const headMac = ({ eventId, hash: lastHash }: AuditHead) => mac([HEAD_DOMAIN, eventId, lastHash]);

  return {
    hash: hashAuditEvent,
    commitMac: (firstId, lastHash) => mac([COMMIT_DOMAIN, firstId, lastHash]),
    sealHead: ({ eventId, hash: lastHash }) => ({
      eventId,
      hash: lastHash,
      mac: headMac({ eventId, hash: lastHash }).toString('hex'),
    }),
    isGenuineHead(head) {
      const stored = Buffer.from(head.mac, 'hex');
      return stored.length === 32 && timingSafeEqual(stored, headMac(head));
    },
  };
}
