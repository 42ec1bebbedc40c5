// A log that nobody reads must not stop the server: standard output closed, or stuck with its pipe full.

import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { eventually, freePort, type Program, startProgram, stopProgram, whenReady } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const TOKEN = 'a-key-of-the-tests-and-of-nothing-else';
const LONGEST_MS = 10_000;
/** Their lines are more than a pipe and the server's memory for them hold: 64 KiB and 8 MiB. */
const REQUESTS = 50_000;

function environment(port: number): Record<string, string> {
  return {
    PORT: String(port),
    SECRET_MANAGER_DATA_DIR: temporaryDirectory(),
    SECRET_MANAGER_API_KEY: TOKEN,
    LOG_LEVEL: 'trace',
  };
}

/** Sends requests down one connection, a hundred at a time, until so many are answered. */
function flood(port: number, requests: number): Promise<void> {
  const group = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(100);
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(group));
    let answered = 0;
    let text = '';
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`closed after ${answered} answers`)));
    socket.on('data', (chunk) => {
      const parts = (text + chunk).split('{"status":"ok"}');
      text = parts.pop() ?? '';
      answered += parts.length;
      if (answered >= requests) {
        socket.removeAllListeners('close').destroy();
        resolve();
      } else if (parts.length > 0 && answered % 100 === 0) {
        socket.write(group);
      }
    });
  });
}

/** Empties a pipe without waiting. */
function readWhatIsThere(pipe: number): string {
  const buffer = Buffer.alloc(65_536);
  let text = '';
  try {
    for (;;) text += buffer.toString('utf8', 0, readSync(pipe, buffer));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
  return text;
}

async function expectAlive(port: number): Promise<void> {
  const init = { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` }, signal: AbortSignal.timeout(2_000) };
  expect((await fetch(`http://127.0.0.1:${port}/api/secrets/lists`, init)).status).toBe(200);
}

async function expectEndsInOrder(program: Program): Promise<void> {
  const { exit, tookMs } = await stopProgram(program);
  expect(exit).toBe(0);
  expect(tookMs).toBeLessThan(LONGEST_MS);
}

describe.concurrent('a server whose standard output', { timeout: 60_000 }, () => {
  test('is closed, as standard error is, lives, answers, and ends in order', async () => {
    const port = await freePort();
    const program = startProgram(environment(port));
    program.child.stdout?.destroy();
    program.child.stderr?.destroy();
    await whenReady(port, program);
    await flood(port, 500);
    await expectAlive(port);
    await expectEndsInOrder(program);
  });

  test.skipIf(process.platform === 'win32')(
    'is stuck lives, answers, tells how many lines it dropped, and ends in order',
    async () => {
      const port = await freePort();
      const name = join(temporaryDirectory(), 'pipe');
      execFileSync('mkfifo', [name]);
      // Open for reading too, so that nothing fails and nothing waits for a reader; it is read when the test says so.
      const pipe = openSync(name, constants.O_RDWR | constants.O_NONBLOCK);
      const program = startProgram(environment(port), { stdio: ['ignore', pipe, 'pipe'] });
      await whenReady(port, program);
      await flood(port, REQUESTS);
      await expectAlive(port);

      let log = '';
      await eventually(async () => {
        log += readWhatIsThere(pipe);
        await expectAlive(port);
        return log.includes('droppedLines');
      }, 'the log tells of the lines that were dropped');
      const lines = log
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line));
      const dropped = lines.reduce((sum, { droppedLines = 0 }) => sum + droppedLines, 0);
      const logged = lines.filter(({ route }) => route === '/healthz').length;
      expect(dropped).toBeGreaterThan(0);
      expect(logged + dropped).toBeGreaterThanOrEqual(REQUESTS);

      await flood(port, 1_000);
      await expectEndsInOrder(program);
      closeSync(pipe);
    },
  );
});
