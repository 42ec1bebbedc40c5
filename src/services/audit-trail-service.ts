// The audit trail for those who read it: searched, verified, exported, pruned.

import type { AuditChain } from '../crypto/audit-chain.ts';
import {
  type AuditFilter,
  type AuditHead,
  type AuditPage,
  CHAIN_START,
  type ChainedAuditEvent,
  type ValueUsage,
} from '../domain/audit-events.ts';
import { ApiError, OperatorError } from '../domain/errors.ts';
import type { Reference } from '../domain/references.ts';
import type { AuditReader, AuditRepository, TrailEnds, ValuesRepository } from '../storage/storage.ts';
import { findHead, type HeadSlots } from './audit-start.ts';
import { createChainCheck, type TrailStart, type Verification, verifyChain } from './audit-verification.ts';
import { type Caller, systemEvent } from './caller.ts';

export interface AuditTrailService {
  search(filter: AuditFilter, limit: number): Promise<AuditPage>;
  /** Throws `value_not_found`. */
  findUsage(caller: Caller, list: Reference, value: Reference): Promise<ValueUsage | undefined>;
  /** All that there is when it begins. Throws OperatorError (`storage`) when the store has no chain yet. */
  verify(onProgress: (events: number) => void): Promise<Verification>;
  /** A part of the trail that was exported. */
  verifyPart(events: AsyncIterable<readonly ChainedAuditEvent[]>): Promise<Verification>;
  /** Oldest first, in batches. */
  readAll(): AsyncGenerator<readonly ChainedAuditEvent[]>;
  /**
   * Deletes whole commits of events older than that, and writes what it did. Returns how many are gone.
   * Throws OperatorError (`refused`) when what is to go isn't as it was written.
   */
  prune(before: Date, actor: 'system' | 'command-line'): Promise<number>;
}

const BATCH = 1_000;
/** Events of one transaction: some tens of milliseconds. */
const PRUNED_AT_ONCE = 2_000;
/** Of a verification beside pruning. */
const MAX_RUNS = 3;

export function createAuditTrailService(deps: {
  audit: AuditRepository;
  values: ValuesRepository;
  /** undefined for a store without one. */
  chain: AuditChain | undefined;
  head: Pick<HeadSlots, 'read'>;
}): AuditTrailService {
  const { audit, values, head } = deps;

  function chainOf(): AuditChain {
    if (deps.chain === undefined) throw noChain();
    return deps.chain;
  }

  return {
    search: (filter, limit) => audit.search(filter, limit),

    async findUsage({ accountId }, list, value) {
      const found = await values.find(accountId, list, value);
      if (found === undefined) throw new ApiError('value_not_found');
      const { id: valueId, secretListId: listId, createdAt } = found;
      return await audit.findLastRead({ accountId, valueId, listId, createdAt });
    },

    async verify(onProgress) {
      const chain = chainOf();
      // Before the trail: a server that goes on writing is then ahead of it, never behind.
      const known = findHead(chain, head) ?? null;
      return await verifyTrail(chain, audit, known, onProgress);
    },

    verifyPart: (events) => verifyChain(chainOf(), { firstId: undefined, hashBefore: undefined }, events, undefined),

    async *readAll() {
      const { firstId, lastId } = await audit.findEnds();
      yield* readUpTo(audit, firstId - 1, lastId);
    },

    async prune(before, actor) {
      const chain = chainOf();
      // What pruning itself writes is never pruned with it, whatever the clock does.
      const { lastId } = await audit.findEnds();
      let pruned = 0;
      for (;;) {
        const batch = await audit.prune(
          before.toISOString(),
          PRUNED_AT_ONCE,
          (events, ends) => {
            const check = createChainCheck(chain, startOf(ends));
            for (const each of events) check.take(each);
            if (check.finish(undefined).findings.length > 0) throw refusePruning();
          },
          { ...systemEvent('audit.prune', null), actor },
        );
        pruned += batch;
        if (batch === 0 || (await audit.findEnds()).firstId >= lastId) return pruned;
      }
    },
  };
}

/** All that there is when it begins. `head` is read before; undefined leaves the end unchecked. */
export async function verifyTrail(
  chain: AuditChain,
  audit: AuditReader,
  head: AuditHead | null | undefined,
  onProgress: (events: number) => void,
): Promise<Verification> {
  for (let runs = 1; ; runs += 1) {
    const ends = await audit.findEnds();
    const events = readUpTo(audit, ends.firstId - 1, ends.lastId);
    const verification = await verifyChain(chain, startOf(ends), events, head, onProgress);
    if (verification.findings.length === 0 || runs === MAX_RUNS) return verification;
    // Pruned meanwhile: what was to be read next was no longer there.
    if ((await audit.findEnds()).firstId === ends.firstId) return verification;
  }
}

export function noChain(): OperatorError {
  return new OperatorError('storage', 'The audit trail has no chain yet; run "secret-manager serve" once to begin it.');
}

async function* readUpTo(
  audit: AuditReader,
  afterId: number,
  lastId: number,
): AsyncGenerator<readonly ChainedAuditEvent[]> {
  for (let last = afterId; last < lastId; ) {
    const batch = (await audit.listChained(last, BATCH)).filter(({ id }) => id <= lastId);
    if (batch.length === 0) return;
    yield batch;
    last = batch.at(-1)?.id ?? lastId;
  }
}

/** What must come first: the event after those that were pruned. */
function startOf({ prunedTo = { eventId: 0, hash: CHAIN_START } }: TrailEnds): TrailStart {
  return { firstId: prunedTo.eventId + 1, hashBefore: prunedTo.hash };
}

function refusePruning(): OperatorError {
  return new OperatorError(
    'refused',
    'The oldest audit events are not as they were written, and stay; "secret-manager audit verify" says what is wrong.',
  );
}
