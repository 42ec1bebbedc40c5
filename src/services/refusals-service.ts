// Audit events of refused requests, written in small groups: a flood of wrong keys must not become a flood of commits.

import type { RefusalEvent } from '../domain/audit-events.ts';
import type { AuditRepository } from '../storage/storage.ts';

/** How long an event waits for others to share its commit. */
const FLUSH_AFTER_MS = 50;
const RETRY_AFTER_MS = 1_000;
/** Events kept apart in one group; beyond them, like ones are counted in one event without address and request. */
const MAX_EVENTS_APART = 50;

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
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  let isClosed = false;

  function count(event: RefusalEvent): void {
    const alike = `${event.action} ${event.reason} ${event.accountId} ${event.apiKeyId}`;
    const sofar = counted.get(alike);
    const occurrences = event.occurrences + (sofar?.occurrences ?? 0);
    counted.set(alike, { ...(sofar ?? event), target: null, requestId: null, address: null, occurrences });
  }

  function wait(event: RefusalEvent): void {
    if (apart.length < MAX_EVENTS_APART) apart.push(event);
    else count(event);
  }

  function writeAfter(delayMs: number): void {
    if (isClosed) return;
    timer ??= setTimeout(() => void writeWaiting(), delayMs);
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
      wait(event);
      writeAfter(FLUSH_AFTER_MS);
    },
    close() {
      isClosed = true;
      return writeWaiting();
    },
  };
}
