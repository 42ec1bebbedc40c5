// A hundred wrong keys against the real program, as it is configured by default.

import { request } from 'node:http';
import { afterAll, expect, test } from 'vitest';
import { killServerProcesses, startServerProcess } from '../support/server-process.ts';

afterAll(killServerProcesses);

function ask(port: number, token: string, from = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` };
    const sent = request({ port, path: '/api/secrets/lists', headers, host: '127.0.0.1', localAddress: from });
    sent.on('response', (response) => resolve(response.resume().statusCode ?? 0)).on('error', reject);
    sent.end();
  });
}

test.skipIf(process.platform !== 'linux')(
  'get 429 there, while the right key is served there and elsewhere',
  async () => {
    const { port, token, stdout, stop } = await startServerProcess();
    const startedAt = performance.now();
    const statuses: number[] = [];
    for (let i = 0; i < 100; i += 1) statuses.push(await ask(port, `wrong-key-number-${i}-and-of-nothing-else`));
    const seconds = Math.ceil((performance.now() - startedAt) / 1000);
    const unauthenticated = statuses.filter((status) => status === 401).length;
    expect(unauthenticated).toBeGreaterThanOrEqual(20);
    expect(unauthenticated).toBeLessThanOrEqual(20 + seconds);
    expect(statuses.filter((status) => status === 429)).toHaveLength(100 - unauthenticated);

    expect(await ask(port, token)).toBe(200);
    expect(await ask(port, token, '127.0.0.2')).toBe(200);
    expect(await ask(port, 'wrong', '127.0.0.2')).toBe(401);
    const warnings = stdout()
      .split('\n')
      .filter((line) => line.includes('"level":"warn"'));
    expect(warnings.map((line) => JSON.parse(line).address)).toEqual(['127.0.0.1']);
    expect((await stop()).exit).toBe(0);
  },
);
