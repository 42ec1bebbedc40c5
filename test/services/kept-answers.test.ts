// The memory for answers is bounded, and gives back what it was given last.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createKeptAnswers } from '../../src/services/kept-answers.ts';

const MAX_BYTES = 10_000;

test('gives back what was kept last under a name', () => {
  const kept = createKeptAnswers<string>(MAX_BYTES);
  kept.keep('a', 'first', 10);
  kept.keep('a', 'second', 20);
  expect(kept.find('a')).toBe('second');
  expect(kept.find('b')).toBeUndefined();
});

test('forgets first what was not asked for the longest', () => {
  const kept = createKeptAnswers<string>(MAX_BYTES);
  for (const name of ['a', 'b', 'c']) kept.keep(name, name, 2_500);
  kept.find('a');
  kept.keep('d', 'd', 2_500);
  expect(['a', 'b', 'c', 'd'].map((name) => kept.find(name))).toEqual(['a', undefined, 'c', 'd']);
});

test('does not keep what is larger than all of it', () => {
  const kept = createKeptAnswers<string>(MAX_BYTES);
  kept.keep('small', 'small', 1);
  kept.keep('large', 'large', MAX_BYTES);
  expect(kept.find('large')).toBeUndefined();
  expect(kept.find('small')).toBe('small');
});

test('never holds more bytes than it may, and never another answer than the last of its name', () => {
  const step = fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd', 'e'), bytes: fc.nat(8_000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const kept = createKeptAnswers<{ bytes: number }>(MAX_BYTES);
      const last = new Map<string, { bytes: number }>();
      for (const { name, bytes } of steps) {
        const answer = { bytes };
        kept.keep(name, answer, bytes);
        last.set(name, answer);
        const held = [...last].filter(([each]) => kept.find(each) !== undefined);
        for (const [each, expected] of held) expect(kept.find(each)).toBe(expected);
        expect(held.reduce((sum, [, each]) => sum + each.bytes, 0)).toBeLessThanOrEqual(MAX_BYTES);
      }
    }),
  );
});
