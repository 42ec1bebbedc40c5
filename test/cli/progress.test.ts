// What a long command says of itself, to a terminal and to a log.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createProgress } from '../../src/cli/progress.ts';

let told: unknown[];
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  told = [];
  vi.spyOn(console, 'error').mockImplementation((text) => void told.push(text));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Tells ten times a second for so long, and returns what was said. */
function tellFor(seconds: number, isTerminal: boolean): unknown[] {
  const { isTTY } = process.stderr;
  process.stderr.isTTY = isTerminal;
  const tell = createProgress();
  process.stderr.isTTY = isTTY;
  for (let tenths = 0; tenths < seconds * 10; tenths += 1) {
    tell(`${tenths / 10} s`);
    vi.advanceTimersByTime(100);
  }
  return told;
}

test('a command that is done at once says nothing', () => {
  expect(tellFor(1, true)).toEqual([]);
  expect(tellFor(9, false)).toEqual([]);
});

test('a person hears of it soon and often, a log late and seldom', () => {
  expect(tellFor(5, true)).toEqual(['… 1.5 s', '… 3 s', '… 4.5 s']);
  told = [];
  expect(tellFor(60, false)).toEqual(['… 10 s', '… 40 s']);
});

test('what will be silent for long is said at once', () => {
  createProgress()('reading 1.0 GB', true);
  expect(told).toEqual(['… reading 1.0 GB']);
});
