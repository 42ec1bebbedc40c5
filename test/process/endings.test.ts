// How a server ends: by signal, with all that was under way finished, in 10 seconds at most; or killed, with all that
// was acknowledged on the disk. The tests run at the same time, because a client that hangs takes its 8 seconds.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createCrashLoad } from '../support/crash-load.ts';
import { eventually, QUICK_START, startProgram, stopProgram } from '../support/program.ts';
import { openRaw, type RawConnection, rawRequest } from '../support/raw-client.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { startTestServer } from '../support/test-server.ts';

const LISTS = '/api/secrets/lists';
const LONGEST_MS = 10_000;
const KILLS = 2;

function start(environment: Record<string, string> = {}): Promise<ServerProcess> {
  return startServerProcess({ ...QUICK_START, ...environment });
}

/** Begins to create a list; `finish` sends the rest. */
async function beginCreation({ port, token }: ServerProcess, name: string) {
  const connection = await openRaw(port);
  const body = JSON.stringify({ name });
  const headers = [
    `Authorization: Bearer ${token}`,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
  ];
  connection.send(rawRequest(`POST ${LISTS}`, headers, body.slice(0, 9)));
  return { connection, finish: (more = '') => connection.send(body.slice(9) + more) };
}

/** Creates lists one after another until the server is gone, and adds the acknowledged names. */
async function createUntilGone({ fetch }: ServerProcess, worker: number, acknowledged: string[]): Promise<void> {
  for (let i = 0; ; i += 1) {
    const name = `load-${worker}-${i}`;
    const response = await fetch(LISTS, { method: 'POST', body: new URLSearchParams({ name }) }).catch(() => undefined);
    if (response === undefined) return;
    if (response.status === 200) acknowledged.push(name);
    else expectStopping(response.status, response.headers.get('retry-after'));
    await response.text();
  }
}

function expectStopping(status: number, retryAfter: string | null | undefined): void {
  expect(status).toBe(503);
  expect(retryAfter).toMatch(/^\d+$/);
}

async function expectLateRequestRefused(connection: RawConnection): Promise<void> {
  const late = await connection.answer().catch(() => undefined);
  if (late !== undefined) expectStopping(late.status, late.headers.get('retry-after'));
}

async function storedNames(dataDirectory: string): Promise<Set<string>> {
  const again = await startTestServer({ SECRET_MANAGER_DATA_DIR: dataDirectory });
  const { json } = await again.request('GET', LISTS);
  await again.close();
  return new Set(json.data.map(({ name }: { name: string }) => name));
}

describe.concurrent('a server', { timeout: 60_000 }, () => {
  test('does not wait for ever for clients that hang: SIGTERM ends it within 10 seconds', async () => {
    const server = await start();
    const { connection: halfABody } = await beginCreation(server, 'half a body');
    const halfAHeader = await openRaw(server.port);
    halfAHeader.send('GET /healthz HTTP/1.1\r\nHost: loc');
    const silent = await openRaw(server.port);
    expect((await server.fetch(LISTS)).status).toBe(200);

    const { exit, tookMs } = await server.stop();
    expect(exit).toBe(0);
    expect(tookMs).toBeLessThan(LONGEST_MS);
    for (const connection of [halfABody, halfAHeader, silent]) expect(await connection.closesWithin(500)).toBe(true);
    expect(server.stdout()).not.toContain('"level":"error"');
  });

  test('finishes what is under way at SIGTERM, refuses the rest and loses nothing', async () => {
    const server = await start();
    const inFlight = await beginCreation(server, 'in flight');
    const keptAlive = await beginCreation(server, 'on a connection that goes on');
    const acknowledged: string[] = [];
    const load = [0, 1, 2, 3].map((worker) => createUntilGone(server, worker, acknowledged));
    await eventually(() => acknowledged.length > 30, 'there is load');

    const stopped = server.stop();
    await eventually(() => server.stdout().includes('"msg":"stopping"'), 'the server heard the signal');
    const newConnection = await fetch(`${server.url}/healthz`).catch(() => undefined);
    if (newConnection !== undefined) expectStopping(newConnection.status, newConnection.headers.get('retry-after'));
    inFlight.finish();
    expect((await inFlight.connection.answer()).json).toMatchObject({ code: 200, data: { name: 'in flight' } });
    inFlight.connection.destroy();
    keptAlive.finish(rawRequest('GET /healthz'));
    expect((await keptAlive.connection.answer()).status).toBe(200);
    await expectLateRequestRefused(keptAlive.connection);
    keptAlive.connection.destroy();

    const { exit, tookMs } = await stopped;
    expect(exit).toBe(0);
    expect(tookMs).toBeLessThan(LONGEST_MS);
    await Promise.all(load);
    const stored = await storedNames(server.dataDirectory);
    for (const name of ['in flight', 'on a connection that goes on', ...acknowledged]) expect(stored).toContain(name);
  });

  test('ends in order on SIGINT, as by Ctrl+C', async () => {
    const server = await start();
    expect((await server.fetch(LISTS, { method: 'POST' })).status).toBe(200);
    const { exit, tookMs } = await server.stop('SIGINT');
    expect(exit).toBe(0);
    expect(tookMs).toBeLessThan(LONGEST_MS);
    expect(server.stdout()).toContain('"reason":"SIGINT"');
  });

  test('opens no inspector on SIGUSR1, and ends once however many signals come', async () => {
    const server = await start();
    server.child.kill('SIGUSR1');
    for (let i = 0; i < 20; i += 1) expect((await server.fetch(LISTS)).status).toBe(200);
    server.child.kill('SIGTERM');
    server.child.kill('SIGINT');
    expect((await server.stop()).exit).toBe(0);
    expect(server.stderr()).not.toContain('Debugger');
    expect(server.stdout().match(/"msg":"stopping"/g)).toHaveLength(1);
  });

  test('that is told to end while it starts does so, and starts the next time', async () => {
    const environment = { SECRET_MANAGER_DATA_DIR: temporaryDirectory(), PORT: '0' };
    for (const delayMs of [100, 250]) {
      const program = startProgram(environment);
      await sleep(delayMs);
      const { exit, tookMs } = await stopProgram(program);
      expect(['SIGTERM', 128 + 15, 0]).toContain(exit);
      expect(tookMs).toBeLessThan(LONGEST_MS);
      expect(program.stderr()).not.toContain('rror');
    }
    const server = await start(environment);
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
    expect((await server.stop()).exit).toBe(0);
  });

  test(`that is killed ${KILLS} times under load has all that it acknowledged`, async () => {
    const environment = { SECRET_MANAGER_DATA_DIR: temporaryDirectory() };
    const load = createCrashLoad();
    let server = await start(environment);
    await load.prepare(server);
    for (let round = 0; round < KILLS; round += 1) {
      const working = load.workUntilGone(server, round);
      const before = load.acknowledged();
      await eventually(() => load.acknowledged() > before + 60 + 25 * round, 'there is load');
      expect((await server.stop('SIGKILL')).exit).toBe('SIGKILL');
      await working;
      server = await start(environment);
      await load.expectKept(server);
    }
    expect((await server.stop()).exit).toBe(0);
  });
});
