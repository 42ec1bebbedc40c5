// Audit events of refusals: written in groups, bounded in a flood, never lost to a store that fails for a while.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RefusalEvent } from '../../src/domain/audit-events.ts';
import { createRefusalsService, type RefusalsService } from '../../src/services/refusals-service.ts';

let groups: (readonly RefusalEvent[])[];
let failures: unknown[];
let write: (events: readonly RefusalEvent[]) => Promise<void>;
let refusals: RefusalsService;

beforeEach(() => {
  vi.useFakeTimers();
  groups = [];
  failures = [];
  write = async (events) => void groups.push(events);
  const audit = { recordRefusals: (events: readonly RefusalEvent[]) => write(events), list: async () => [] };
  refusals = createRefusalsService(audit, (error) => failures.push(error));
});
afterEach(() => void vi.useRealTimers());

function refusal(change: Partial<RefusalEvent> = {}): RefusalEvent {
  return {
    occurredAt: '2026-11-23T08:00:00.000Z',
    actor: 'anonymous',
    accountId: null,
    apiKeyId: null,
    action: 'list.list',
    target: null,
    reason: 'unauthenticated',
    requestId: 'a-request',
    address: '192.0.2.1',
    occurrences: 1,
    ...change,
  };
}

function recordMany(count: number, change: Partial<RefusalEvent> = {}): void {
  for (let i = 0; i < count; i += 1) refusals.record(refusal({ requestId: `request-${i}`, ...change }));
}

function occurrences(): number {
  return groups.flat().reduce((sum, event) => sum + event.occurrences, 0);
}

describe('one refusal', () => {
  test('is written as it is, soon and not at once', async () => {
    refusals.record(refusal());
    expect(groups).toEqual([]);
    await vi.advanceTimersByTimeAsync(100);
    expect(groups).toEqual([[refusal()]]);
  });

  test('is written once', async () => {
    refusals.record(refusal());
    await vi.advanceTimersByTimeAsync(10_000);
    await refusals.close();
    expect(groups).toEqual([[refusal()]]);
  });

  test('after others were written is written too', async () => {
    refusals.record(refusal());
    await vi.advanceTimersByTimeAsync(100);
    refusals.record(refusal({ reason: 'forbidden' }));
    await vi.advanceTimersByTimeAsync(100);
    expect(groups.map((group) => group.map(({ reason }) => reason))).toEqual([['unauthenticated'], ['forbidden']]);
  });
});

describe('several refusals', () => {
  test('of one moment share a commit, in their order', async () => {
    recordMany(20);
    await vi.advanceTimersByTimeAsync(100);
    expect(groups).toHaveLength(1);
    expect(groups[0]?.map(({ requestId }) => requestId)).toEqual(Array.from({ length: 20 }, (_, i) => `request-${i}`));
  });
});

describe('a flood', () => {
  test('becomes few events, and none is lost', async () => {
    recordMany(10_000);
    await vi.advanceTimersByTimeAsync(100);
    expect(groups.flat().length).toBeLessThan(100);
    expect(occurrences()).toBe(10_000);
  });

  test('is counted apart by action, reason and who it was', async () => {
    recordMany(50);
    recordMany(30, { action: 'list.read' });
    recordMany(20, { reason: 'forbidden' });
    recordMany(10, { actor: 'api-key', accountId: 1, apiKeyId: 2 });
    recordMany(5, { actor: 'api-key', accountId: 1, apiKeyId: 3 });
    await vi.advanceTimersByTimeAsync(100);
    const counted = groups.flat().filter((event) => event.occurrences > 1);
    expect(counted.map((event) => event.occurrences)).toEqual([30, 20, 10, 5]);
    for (const event of counted) expect(event).toMatchObject({ requestId: null, address: null, target: null });
    expect(counted.map(({ action, reason, apiKeyId }) => [action, reason, apiKeyId])).toEqual([
      ['list.read', 'unauthenticated', null],
      ['list.list', 'forbidden', null],
      ['list.list', 'unauthenticated', 2],
      ['list.list', 'unauthenticated', 3],
    ]);
  });

  test('keeps the first ones whole', async () => {
    recordMany(1_000);
    await vi.advanceTimersByTimeAsync(100);
    const whole = groups.flat().filter(({ requestId }) => requestId !== null);
    expect(whole.length).toBeGreaterThanOrEqual(10);
    expect(whole[0]).toEqual(refusal({ requestId: 'request-0' }));
  });
});

describe('a flood that was limited', () => {
  const limited = { reason: 'too_many_failures' };

  test('is one event a minute, whatever else is written meanwhile', async () => {
    for (let i = 0; i < 59; i += 1) {
      recordMany(100, limited);
      refusals.record(refusal({ requestId: `other-${i}` }));
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(groups.flat().filter(({ reason }) => reason === 'too_many_failures')).toEqual([]);
    expect(groups.flat()).toHaveLength(59);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(groups.flat().filter(({ reason }) => reason === 'too_many_failures')).toEqual([
      refusal({ ...limited, requestId: null, address: null, occurrences: 5_900 }),
    ]);
  });

  test('goes on being counted after that', async () => {
    recordMany(10, limited);
    await vi.advanceTimersByTimeAsync(61_000);
    recordMany(7, limited);
    await vi.advanceTimersByTimeAsync(61_000);
    expect(groups.flat().map((event) => event.occurrences)).toEqual([10, 7]);
  });

  test('is written at the end', async () => {
    recordMany(10, limited);
    recordMany(3, { ...limited, action: 'seed.fetch' });
    await refusals.close();
    expect(groups.flat().map((event) => [event.action, event.occurrences])).toEqual([
      ['list.list', 10],
      ['seed.fetch', 3],
    ]);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(occurrences()).toBe(13);
  });

  test('is not lost when the store fails', async () => {
    const working = write;
    write = () => Promise.reject(new Error('no store'));
    recordMany(10, limited);
    await vi.advanceTimersByTimeAsync(61_000);
    write = working;
    await vi.advanceTimersByTimeAsync(61_000);
    expect(occurrences()).toBe(10);
  });
});

describe('a group that cannot be written', () => {
  test('is told, and written when the store is back, with what came meanwhile', async () => {
    const working = write;
    write = () => Promise.reject(new Error('no store'));
    refusals.record(refusal());
    await vi.advanceTimersByTimeAsync(60);
    expect(failures).toHaveLength(1);
    refusals.record(refusal({ reason: 'forbidden' }));
    write = working;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(
      groups
        .flat()
        .map(({ reason }) => reason)
        .sort(),
    ).toEqual(['forbidden', 'unauthenticated']);
  });

  test('stays bounded through a flood, and no refusal is lost', async () => {
    const working = write;
    write = () => Promise.reject(new Error('no store'));
    for (let i = 0; i < 20; i += 1) {
      recordMany(1_000);
      await vi.advanceTimersByTimeAsync(100);
    }
    write = working;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(groups.flat().length).toBeLessThan(100);
    expect(occurrences()).toBe(20_000);
  });

  test('while it is being written takes nothing that comes meanwhile with it', async () => {
    let fail: (error: Error) => void = () => undefined;
    const working = write;
    write = () =>
      new Promise((_, reject) => {
        fail = reject;
      });
    refusals.record(refusal({ requestId: 'first' }));
    await vi.advanceTimersByTimeAsync(100);
    refusals.record(refusal({ requestId: 'second' }));
    write = working;
    fail(new Error('no store'));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(
      groups
        .flat()
        .map(({ requestId }) => requestId)
        .sort(),
    ).toEqual(['first', 'second']);
  });
});

describe('closing', () => {
  test('writes what waits, at once', async () => {
    recordMany(3);
    await refusals.close();
    expect(groups.flat()).toHaveLength(3);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(groups.flat()).toHaveLength(3);
  });

  test('waits for a group that is being written', async () => {
    const order: string[] = [];
    write = async () => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      order.push('written');
    };
    refusals.record(refusal());
    await vi.advanceTimersByTimeAsync(100);
    const closed = refusals.close().then(() => order.push('closed'));
    await vi.advanceTimersByTimeAsync(1_000);
    await closed;
    expect(order).toEqual(['written', 'closed']);
  });

  test('with nothing waiting writes nothing', async () => {
    await refusals.close();
    expect(groups).toEqual([]);
  });

  test('does not fail when the store does, and then leaves it alone', async () => {
    write = () => Promise.reject(new Error('no store'));
    refusals.record(refusal());
    await refusals.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(failures).toHaveLength(1);
  });
});
