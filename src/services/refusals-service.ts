// Audit events of refused requests, written in small groups: a flood of wrong keys must not become a flood of commits.
// What is refused because there were too many failures is counted alone, and written once a minute.

import type { RefusalEvent } from '../domain/audit-events.ts';
import type { ErrorCode } from '../domain/errors.ts';
import type { AuditRepository } from '../storage/storage.ts';

/** How long an event waits for others to share its commit. */
const FLUSH_AFTER_MS = 50;
const RETRY_AFTER_MS = 1_000;
/** How long events of a limited flood are counted together. */
const COUNT_FLOOD_FOR_MS = 60_000;
/** Events kept apart in one group; beyond them, like ones are counted in one event without address and request. */
const MAX_EVENTS_APART = 50;
const OF_A_FLOOD: ErrorCode = 'too_many_failures';

export interface RefusalsService {
  record(event: RefusalEvent): void;
  /** Writes what is waiting, and takes nothing more. Called before the store closes. */
  close(): Promise<void>;
}

/** `onFailure` hears of a group that could not be written; the group is then tried again with the next. */
export function createRefusalsService(
  audit: Pick<AuditRepository, 'recordRefusals'>,
  onFailure: (error: unknown) => void,
): RefusalsService {
  let apart: RefusalEvent[] = [];
  let counted = new Map<string, RefusalEvent>();
  let flood = new Map<string, RefusalEvent>();
  let timer: NodeJS.Timeout | undefined;
  let floodTimer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  let isClosed = false;

  function count(sums: Map<string, RefusalEvent>, event: RefusalEvent): void {
    const alike = `${event.action} ${event.reason} ${event.accountId} ${event.apiKeyId}`;
    const sofar = sums.get(alike);
    const occurrences = event.occurrences + (sofar?.occurrences ?? 0);
    sums.set(alike, { ...(sofar ?? event), target: null, requestId: null, address: null, occurrences });
  }

  function wait(event: RefusalEvent): void {
    if (apart.length < MAX_EVENTS_APART) apart.push(event);
    else count(counted, event);
  }

  function writeAfter(delayMs: number): void {
    if (isClosed) return;
    timer ??= setTimeout(() => void writeWaiting(), delayMs);
  }

  function countFlood(event: RefusalEvent): void {
    count(flood, event);
    if (isClosed) return;
    floodTimer ??= setTimeout(() => {
      endFlood();
      writeAfter(FLUSH_AFTER_MS);
    }, COUNT_FLOOD_FOR_MS);
  }

  /** What was counted waits for the next group. */
  function endFlood(): void {
    clearTimeout(floodTimer);
    floodTimer = undefined;
    for (const event of flood.values()) wait(event);
    flood = new Map();
  }

  async function writeGroup(): Promise<void> {
    const group = [...apart, ...counted.values()];
    apart = [];
    counted = new Map();
    if (group.length === 0) return;
    try {
      await audit.recordRefusals(group);
    } catch (error) {
      onFailure(error);
      for (const event of group) wait(event);
      writeAfter(RETRY_AFTER_MS);
    }
  }

  function writeWaiting(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    writing = writing.then(writeGroup);
    return writing;
  }

  return {
    record(event) {
      if (event.reason === OF_A_FLOOD) return countFlood(event);
      wait(event);
      writeAfter(FLUSH_AFTER_MS);
    },
    close() {
      isClosed = true;
      endFlood();
      return writeWaiting();
    },
  };
}
