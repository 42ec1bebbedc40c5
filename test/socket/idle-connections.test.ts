// Thousands of connections that say nothing, or half of something, take nothing away from the others.

import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterAll, expect, test } from 'vitest';
import { QUICK_START } from '../support/program.ts';
import { startServerProcess } from '../support/server-process.ts';

const WANTED = 5_000;
const AT_ONCE = 250;
/** Files that test and server have open besides. */
const OTHER_FILES = 200;

const BEGINNINGS = ['', 'GET /healthz HTT', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: '];

const sockets: Socket[] = [];
afterAll(() => {
  for (const socket of sockets) socket.destroy();
});

function openFilesLimit(pid: number | 'self'): number {
  const limit = /^Max open files +(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1];
  return Number(limit ?? Number.POSITIVE_INFINITY);
}

function openIdle(port: number, beginning: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      if (beginning !== '') socket.write(beginning);
      resolve();
    });
    socket.on('error', reject);
    sockets.push(socket);
  });
}

test.skipIf(process.platform !== 'linux')(
  '5,000 idle connections leave the others served, and quickly',
  async ({ annotate }) => {
    const { port, child, fetch } = await startServerProcess(QUICK_START);
    const limit = Math.min(openFilesLimit('self'), openFilesLimit(child.pid ?? 'self')) - OTHER_FILES;
    const count = Math.min(WANTED, limit);
    if (count < WANTED) await annotate(`only ${count} connections: the limit of open files (ulimit -n) allows no more`);
    expect(count, 'raise the limit of open files (ulimit -n) to 1024 at least').toBeGreaterThan(500);

    for (let opened = 0; opened < count; opened += AT_ONCE) {
      const group = Math.min(AT_ONCE, count - opened);
      await Promise.all(Array.from({ length: group }, (_, i) => openIdle(port, BEGINNINGS[i % 3] ?? '')));
    }

    const times: number[] = [];
    for (let i = 0; i < 40; i += 1) {
      const startedAt = performance.now();
      const init = i % 2 === 0 ? { method: 'POST' } : {};
      expect((await fetch('/api/secrets/lists', init)).status).toBe(200);
      times.push(performance.now() - startedAt);
    }
    times.sort((a, b) => a - b);
    expect(times[20]).toBeLessThan(100);
    expect(times.at(-1)).toBeLessThan(1_000);
  },
);
