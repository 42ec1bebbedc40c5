// Failed attempts of each address: as a bucket that refills. Only failures are ever looked at, so that a key or token
// that is right costs nothing here and is never refused for what its neighbours do. docs/adr/0013 says why.

import { hash, randomBytes } from 'node:crypto';
import { ApiError, type ErrorCode } from '../domain/errors.ts';
import type { ServerBounds } from '../domain/limits.ts';
import { addressBlock } from './address-block.ts';

/** Entries that an address can have its place in; one of them gives way when all are taken. */
const WAYS = 8;
const SALT_BYTES = 16;
const TELL_EVERY_MS = 60_000;

export interface FailuresService {
  /** Counts a failure and returns what it is answered with: the given error, or `too_many_failures` from now on. */
  refusal(code: ErrorCode, address: string): ApiError;
  /** Counts a failure; false when there were too many, and what is refused so isn't counted against the address. */
  isTolerated(address: string): boolean;
  /** How many addresses are known to have failed lately; never more than there are entries. */
  countKnown(): number;
}

/** `onLimited` hears of an address that failed too often, once a minute at most. */
export function createFailuresService(
  bounds: Pick<ServerBounds, 'failureBurst' | 'failuresPerSecond' | 'failingAddresses'>,
  onLimited: (address: string) => void,
): FailuresService {
  const salt = randomBytes(SALT_BYTES).toString('hex');
  const sets = Math.ceil(bounds.failingAddresses / WAYS);
  // Fixed arrays: a million addresses take no more memory than one. An address is known by 48 bits of a salted hash.
  const tags = new Float64Array(sets * WAYS);
  /** When an address' bucket is full again, on the monotonic clock. */
  const fullAt = new Float64Array(sets * WAYS);
  const refillMs = 1000 / bounds.failuresPerSecond;
  const emptyMs = bounds.failureBurst * refillMs;
  let toldAt = Number.NEGATIVE_INFINITY;

  /** The entry of an address; for an unknown one that of the address which owes least. */
  function findEntry(block: string): number {
    const digest = hash('sha256', salt + block, 'hex');
    const tag = Number.parseInt(digest.slice(0, 12), 16);
    const first = (Number.parseInt(digest.slice(12, 20), 16) % sets) * WAYS;
    let fullest = first;
    for (let entry = first; entry < first + WAYS; entry += 1) {
      if (tags[entry] === tag) return entry;
      if ((fullAt[entry] ?? 0) < (fullAt[fullest] ?? 0)) fullest = entry;
    }
    tags[fullest] = tag;
    fullAt[fullest] = 0;
    return fullest;
  }

  function isTolerated(address: string): boolean {
    const now = performance.now();
    const entry = findEntry(addressBlock(address));
    const fullAfterThis = Math.max(fullAt[entry] ?? 0, now) + refillMs;
    if (fullAfterThis > now + emptyMs) return false;
    fullAt[entry] = fullAfterThis;
    return true;
  }

  function tell(address: string): void {
    const now = performance.now();
    if (now - toldAt < TELL_EVERY_MS) return;
    toldAt = now;
    onLimited(address);
  }

  return {
    isTolerated,
    refusal(code, address) {
      if (isTolerated(address)) return new ApiError(code);
      tell(address);
      return new ApiError('too_many_failures');
    },
    countKnown() {
      const now = performance.now();
      return fullAt.reduce((count, time) => (time > now ? count + 1 : count), 0);
    },
  };
}
