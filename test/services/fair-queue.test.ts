// Jobs of many accounts on one thread.

import { expect, test } from 'vitest';
import { createFairQueue } from '../../src/services/fair-queue.ts';

test('takes the accounts in turn, so that one with many jobs delays its own', async () => {
  const queue = createFairQueue();
  const order: string[] = [];
  const job = (name: string) => async () => {
    await Promise.resolve();
    order.push(name);
  };
  const asked = ['a1', 'a2', 'a3', 'b1', 'c1', 'b2'].map((name) => queue.run(name.charCodeAt(0), job(name)));
  await Promise.all(asked);
  expect(order).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'b2']);
});

test('runs one job at a time', async () => {
  const queue = createFairQueue();
  let running = 0;
  let most = 0;
  const job = async () => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running -= 1;
  };
  await Promise.all(Array.from({ length: 20 }, (_, i) => queue.run(i % 3, job)));
  expect(most).toBe(1);
});

test('gives each its own result or failure, and goes on after one', async () => {
  const queue = createFairQueue();
  const failed = queue.run(1, async () => {
    throw new Error('broken');
  });
  await expect(failed).rejects.toThrow('broken');
  expect(await queue.run(1, async () => 'done')).toBe('done');
});
