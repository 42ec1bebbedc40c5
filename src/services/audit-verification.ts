// Follows the audit trail's chain from one end to the other and says in sentences what is wrong with it.

import type { AuditChain } from '../crypto/audit-chain.ts';
import { type AuditHead, CHAIN_START, type ChainedAuditEvent } from '../domain/audit-events.ts';
import { explainMismatches, type Mismatch } from './audit-mismatches.ts';

/** Beyond so many of a kind the trail is not the one that was written, and more sentences say no more. */
const MAX_TOLD = 100;

export interface Verification {
  readonly events: number;
  /** Where the trail ends; CHAIN_START and 0 when it is empty. */
  readonly end: AuditHead;
  /** What is wrong, a sentence each; none when the trail is as it was written. */
  readonly findings: readonly string[];
  /** What is as it should be and still worth knowing. */
  readonly notices: readonly string[];
}

export interface TrailStart {
  /** The id that the first event must have; undefined when any may come first, as in a part of the trail. */
  readonly firstId: number | undefined;
  /** The hash that it goes on from; undefined when nothing says. */
  readonly hashBefore: string | undefined;
}

export interface ChainCheck {
  /** The events one after another, oldest first. */
  take(event: ChainedAuditEvent): void;
  /** `head` is the one that is kept outside; undefined leaves the end unchecked, null says that there is none. */
  finish(head: AuditHead | null | undefined): Verification;
}

/** Verifies all batches, oldest first. `onProgress` hears how many events are done. */
export async function verifyChain(
  chain: AuditChain,
  start: TrailStart,
  batches: AsyncIterable<readonly ChainedAuditEvent[]>,
  head: AuditHead | null | undefined,
  onProgress: (events: number) => void = () => undefined,
): Promise<Verification> {
  const check = createChainCheck(chain, start, head ?? undefined);
  let events = 0;
  for await (const batch of batches) {
    for (const event of batch) check.take(event);
    events += batch.length;
    onProgress(events);
  }
  return check.finish(head);
}

export function createChainCheck(chain: AuditChain, start: TrailStart, watched?: AuditHead): ChainCheck {
  const findings: string[] = [];
  const notices: string[] = [];
  const mismatches: Mismatch[] = [];
  let events = 0;
  /** The first one that is read. */
  let firstId: number | undefined;
  let lastId = start.firstId === undefined ? undefined : start.firstId - 1;
  let lastHash = start.hashBefore;
  let isChained = false;
  /** The first event of the commit that is being read. */
  let commitFirstId: number | undefined;
  /** A commit that begins where events are missing, or before what is read: its first event isn't known. */
  let isCommitCut = start.firstId === undefined;
  let watchedHash: string | null | undefined;

  function tell(sentence: string): void {
    if (findings.length < MAX_TOLD) findings.push(sentence);
  }

  function checkPlace({ id, action }: ChainedAuditEvent, doesFollow: boolean): void {
    if (lastId === undefined || id === lastId + 1) return;
    if (id <= lastId) {
      tell(`Event ${id} was pruned, and is there again.`);
      return;
    }
    const missing = range(lastId + 1, id - 1);
    const isAccepted = action === 'audit.accept-rollback' || action === 'audit.start';
    if (isAccepted && doesFollow) {
      notices.push(`${missing} went with a store that was rolled back, which event ${id} accepts.`);
    } else {
      tell(`${missing} ${lastId + 1 === id - 1 ? 'is' : 'are'} missing.`);
      isCommitCut ||= !doesFollow;
    }
  }

  function checkHash(event: ChainedAuditEvent, expected: string | undefined): void {
    const { id, hash } = event;
    if (hash === null) {
      if (isChained) tell(`Event ${id} has lost its hash.`);
      return;
    }
    // What comes after missing events can't be compared with them.
    const isAfterGap = lastId !== undefined && id !== lastId + 1;
    if (expected === undefined || expected === hash || isAfterGap || mismatches.length === MAX_TOLD) return;
    mismatches.push({ event: { ...event, hash }, previousHash: lastHash ?? CHAIN_START, isFirst: !isChained });
  }

  function checkSeal({ id, hash, commitMac }: ChainedAuditEvent): void {
    commitFirstId ??= id;
    if (commitMac === null) return;
    const isGenuine = chain.commitMac(commitFirstId, hash ?? '').toString('hex') === commitMac;
    if (!isGenuine && !isCommitCut) {
      tell(
        `The seal over ${range(commitFirstId, id).toLowerCase()} is not genuine: something there was changed or added.`,
      );
    }
    commitFirstId = undefined;
    isCommitCut = false;
  }

  function tellUnchained(first: number, last: number): void {
    const [are, they] = first === last ? ['is', 'it was'] : ['are', 'they were'];
    // A part of the trail may begin behind what the chain covers.
    const since = lastHash === undefined ? '' : ' before it began';
    notices.push(
      `${range(first, last)} ${are} from before there was a chain; nothing shows whether ${they} changed${since}.`,
    );
  }

  return {
    take(event) {
      const { id, hash } = event;
      firstId ??= id;
      if (id === 1) lastHash ??= CHAIN_START;
      const expected = lastHash === undefined ? undefined : chain.hash(lastHash, id, event);
      checkPlace(event, expected === hash);
      checkHash(event, expected);
      if (hash !== null) checkSeal(event);
      if (hash !== null && !isChained && events > 0) tellUnchained(firstId, lastId ?? firstId);
      if (id === watched?.eventId) watchedHash = hash;
      events += 1;
      isChained ||= hash !== null;
      lastId = id;
      lastHash = hash ?? expected;
    },

    finish(head) {
      findings.push(...explainMismatches(chain, mismatches));
      if (commitFirstId !== undefined && start.firstId !== undefined) {
        const unsealed = range(commitFirstId, lastId ?? 0).toLowerCase();
        tell(`No seal covers ${unsealed} at the end: this was added, or the rest of its commit is gone.`);
      }
      const end = { eventId: lastId ?? 0, hash: lastHash ?? CHAIN_START };
      if (head !== undefined) checkEnd(head, end.eventId);
      return { events, end, findings, notices };
    },
  };

  function checkEnd(head: AuditHead | null, endId: number): void {
    if (head === null) {
      tell('The file head is missing or damaged: whether the newest events are there cannot be told.');
    } else if (head.eventId > endId) {
      tell(
        `${range(endId + 1, head.eventId)} at the end ${endId + 1 === head.eventId ? 'is' : 'are'} missing: the file head knows of event ${head.eventId}.`,
      );
    } else if (watchedHash !== undefined && watchedHash !== head.hash) {
      tell(`Event ${head.eventId} is not the one that the file head knows.`);
    }
  }
}

function range(first: number, last: number): string {
  return first === last ? `Event ${first}` : `Events ${first} to ${last}`;
}
