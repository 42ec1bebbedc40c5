// What is sealed in memory opens in this process, and says nothing by itself.

import { expect, test } from 'vitest';
import { createProcessSeal, openInMemory } from '../../src/crypto/process-seal.ts';

const PLAIN = Buffer.from('a value that must not stand in memory');

test('what was sealed opens, however many keys were used', () => {
  const seal = createProcessSeal(3);
  const sealed = Array.from({ length: 10 }, () => seal(PLAIN));
  for (const each of sealed) expect(openInMemory(each)).toEqual(PLAIN);
  expect(new Set(sealed.map(({ key }) => key)).size).toBe(4);
});

test('the sealed bytes do not hold what was sealed, and are never the same', () => {
  const seal = createProcessSeal();
  const [first, second] = [seal(PLAIN), seal(PLAIN)];
  expect(first.sealed.includes('must not')).toBe(false);
  expect(first.sealed.equals(second.sealed)).toBe(false);
});

test('another process seal has another key', () => {
  const { sealed } = createProcessSeal()(PLAIN);
  const { key } = createProcessSeal()(PLAIN);
  expect(() => openInMemory({ key, sealed })).toThrow('does not open');
});
