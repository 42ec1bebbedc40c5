// npm run bench: how much processor time an audit event of a read costs, in groups of 32 that share a commit: made,
// chained, sealed, inserted, noted, and the head written. In memory, so that no fsync counts.

import { createSecretKey } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createAuditChain } from '../src/crypto/audit-chain.ts';
import { openHeadFile } from '../src/files/head-file.ts';
import { openSqliteStorage } from '../src/storage/sqlite/sqlite-storage.ts';

const GROUP = 32;
const GROUPS = 1_000;
const ROUNDS = 7;

const directory = mkdtempSync(join('/dev/shm', 'audit-events-'));
const { storage } = openSqliteStorage({ directory, mode: 'migrate', onOutcomeUnknown: () => undefined });
const chain = createAuditChain(createSecretKey(Buffer.alloc(32, 1)));
const head = openHeadFile(directory, console.error);
head.create(chain.sealHead({ eventId: 0, hash: '0'.repeat(64) }));
let lastKnownId = 0;
storage.audit.follow({
  hash: chain.hash,
  commitMac: chain.commitMac,
  lastKnownId: () => lastKnownId,
  committed(end) {
    lastKnownId = end.eventId;
    head.write(chain.sealHead(end));
  },
  tailMissing: console.error,
});

function read(valueId: number) {
  const event = {
    occurredAt: new Date().toISOString(),
    actor: 'api-key',
    accountId: 1,
    apiKeyId: 2,
    action: 'value.read',
    requestId: '0bb8e8a2-2b1f-4a3a-8f10-7b60d4d3b7d1',
    address: '192.0.2.7',
  } as const;
  return storage.audit.record(event, [{ kind: 'value', id: valueId, parentId: 3 }]);
}

const microseconds: number[] = [];
for (let round = 0; round < ROUNDS; round += 1) {
  const before = process.cpuUsage();
  for (let group = 0; group < GROUPS; group += 1) {
    await Promise.all(Array.from({ length: GROUP }, (_, i) => read(1 + ((group * GROUP + i * 7) % 1_000))));
  }
  const { user, system } = process.cpuUsage(before);
  microseconds.push((user + system) / GROUPS / GROUP);
}
microseconds.sort((a, b) => a - b);
console.log(
  `an audit event in groups of ${GROUP}: best ${microseconds[0]?.toFixed(1)} µs, median ${microseconds[3]?.toFixed(1)} µs`,
);
await storage.close();
await head.close();
rmSync(directory, { recursive: true });
