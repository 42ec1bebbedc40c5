// Where documents are rendered: what is large or slow leaves the event loop free, and ends in time.

import { afterAll, expect, test } from 'vitest';
import { createRenderingService } from '../../src/services/rendering-service.ts';

const rendering = createRenderingService();
afterAll(() => rendering.close());

const LINES = `${'y\n'.repeat(200_000)}`;

/** The longest time that the event loop stood still while `work` went on. */
async function longestStandstillMs(work: Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  await work;
  clearInterval(timer);
  return Math.max(longest, performance.now() - last);
}

test('a small document with large values leaves the event loop free', async () => {
  const document = Buffer.from('#cloud-config\na: |\n  ${{secret.A}}${{secret.A}}${{secret.A}}\n');
  const work = rendering.render(1, document, new Map([['A', LINES]]));
  expect(await longestStandstillMs(work)).toBeLessThan(150);
  expect(await work).toHaveProperty('bytes');
});

test('a small and a large document give the same, inline and on the thread', async () => {
  const values = new Map([['A', 'yes']]);
  const small = await rendering.render(1, Buffer.from('#cloud-config\na: ${{secret.A}}\n'), values);
  const padding = '# padding\n'.repeat(1_000);
  const large = await rendering.render(1, Buffer.from(`#cloud-config\na: \${{secret.A}}\n${padding}`), values);
  if (!('bytes' in small) || !('bytes' in large)) throw new Error('refused');
  expect(Buffer.from(large.bytes).toString()).toBe(`${Buffer.from(small.bytes)}${padding}`);
});

test('one thread serves many documents, and none after the end', async () => {
  const other = createRenderingService();
  const document = Buffer.from(`#cloud-config\n${'# padding\n'.repeat(1_000)}`);
  expect(await other.check(1, document)).toMatchObject({ kind: 'cloud-config' });
  expect(await other.check(2, document)).toMatchObject({ kind: 'cloud-config' });
  await other.close();
  await expect(other.check(1, document)).rejects.toMatchObject({ code: 'stopping' });
});

test('more than may wait is refused', async () => {
  const document = Buffer.from('${{secret.A | sha512crypt}}');
  const values = new Map([['A', 'x'.repeat(64 * 1024 * 1024)]]);
  await expect(rendering.render(1, document, values)).rejects.toMatchObject({ code: 'rendering_busy' });
});
