// Failures of each address: how many are answered as what they are, and what a million addresses change in that.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SERVER_BOUNDS } from '../../src/domain/limits.ts';
import { createFailuresService, type FailuresService } from '../../src/services/failures-service.ts';

const OFFENDER = '192.0.2.66';
const BURST = SERVER_BOUNDS.failureBurst;
let told: string[];
let failures: FailuresService;

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  failures = createFailuresService(SERVER_BOUNDS, (address) => told.push(address));
});
afterEach(() => void vi.useRealTimers());

function fail(address = OFFENDER): string {
  return failures.refusal('unauthenticated', address).code;
}

/** How many of so many failures are answered as what they are. */
function toleratedOf(count: number, address = OFFENDER): number {
  return Array.from({ length: count }, () => fail(address)).filter((code) => code === 'unauthenticated').length;
}

function ipv4(number: number): string {
  return `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
}

describe('an address', () => {
  test('has some failures at once, and then 429', () => {
    expect(toleratedOf(100)).toBe(BURST);
    expect(failures.refusal('seed_not_found', OFFENDER)).toMatchObject({ code: 'too_many_failures', status: 429 });
  });

  test('gets one failure back each second, however often it tries meanwhile', () => {
    toleratedOf(100);
    for (let second = 0; second < 10; second += 1) {
      let tolerated = 0;
      for (let tenth = 0; tenth < 10; tenth += 1) {
        vi.advanceTimersByTime(100);
        tolerated += toleratedOf(10);
      }
      expect(tolerated).toBe(1);
    }
  });

  test('has all of them back after a while, and never more', () => {
    toleratedOf(100);
    vi.advanceTimersByTime(24 * 3_600_000);
    expect(failures.countKnown()).toBe(0);
    expect(toleratedOf(100)).toBe(BURST);
  });

  test('is limited alone', () => {
    toleratedOf(100);
    expect(toleratedOf(BURST, '192.0.2.67')).toBe(BURST);
    expect(fail()).toBe('too_many_failures');
  });

  test('is the whole /64 of IPv6, and not more', () => {
    for (let i = 0; i < BURST; i += 1) expect(fail(`2001:db8:0:1::${i.toString(16)}`)).toBe('unauthenticated');
    expect(fail('2001:db8:0:1:ffff::')).toBe('too_many_failures');
    expect(fail('2001:db8:0:2::')).toBe('unauthenticated');
  });

  test('is the same in IPv4 and as IPv4 in IPv6', () => {
    toleratedOf(100, `::ffff:${OFFENDER}`);
    expect(fail(OFFENDER)).toBe('too_many_failures');
  });
});

describe('who failed too often', () => {
  test('is told once a minute, not for each failure', () => {
    toleratedOf(BURST);
    expect(told).toEqual([]);
    toleratedOf(1_000);
    toleratedOf(1_000, '192.0.2.67');
    expect(told).toEqual([OFFENDER]);
    vi.advanceTimersByTime(60_000);
    toleratedOf(1_000, '192.0.2.67');
    expect(told).toEqual([OFFENDER, '192.0.2.67']);
  });
});

describe('a million addresses', () => {
  test('take no more entries than there are, and do not make the server forget one that goes on', {
    timeout: 60_000,
  }, () => {
    // Reading a faked clock so often takes seconds.
    vi.useRealTimers();
    failures = createFailuresService({ ...SERVER_BOUNDS, failuresPerSecond: 0.001 }, () => undefined);
    toleratedOf(BURST);
    for (let i = 0; i < 1_000_000; i += 1) {
      failures.isTolerated(ipv4(i));
      if (i % 100_000 === 0) expect(fail()).toBe('too_many_failures');
    }
    const known = failures.countKnown();
    expect(known).toBeLessThanOrEqual(SERVER_BOUNDS.failingAddresses);
    expect(known).toBeGreaterThan(SERVER_BOUNDS.failingAddresses * 0.99);
    expect(fail()).toBe('too_many_failures');
  });

  test('that each fail as often as possible make it forget few of those that are limited', () => {
    const small = createFailuresService({ ...SERVER_BOUNDS, failingAddresses: 1_024 }, () => undefined);
    const refusedOf = (from: number, to: number) => {
      let refused = 0;
      for (let i = from; i < to; i += 1) {
        for (let n = 0; n < BURST; n += 1) small.isTolerated(ipv4(i));
        if (!small.isTolerated(ipv4(i))) refused += 1;
      }
      return refused;
    };
    expect(refusedOf(0, 512)).toBe(512);
    expect(small.countKnown()).toBeGreaterThan(480);
    expect(refusedOf(10_000, 13_000)).toBe(3_000);
    expect(small.countKnown()).toBeLessThanOrEqual(1_024);
  });
});
