// strace, which tells what a server asks of the operating system, and can make that fail. Where it can't be used its
// tests are skipped with one line that says why; with CI set they fail instead.

import { spawnSync } from 'node:child_process';
import { freePort, PROGRAM, type Program, startProgram, whenReady } from '../support/program.ts';

export const canTrace = checkStrace();

function checkStrace(): boolean {
  const { error, status } = spawnSync('strace', ['-f', '-e', 'trace=none', 'true'], { stdio: 'ignore' });
  if (error === undefined && status === 0) return true;
  const why = error === undefined ? 'this user may not trace' : 'strace is not installed';
  if (process.env['CI'] !== undefined) throw new Error(`CI must be able to trace its own processes, but ${why}`);
  process.stderr.write(`Skipped: replays of power cuts and injected faults, because ${why}.\n`);
  return false;
}

export interface TracedServer extends Program {
  readonly token: string;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  stop(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

/** `nodeFlags` come before the program's own. */
export async function startTraced(
  straceArguments: readonly string[],
  environment: Record<string, string>,
  nodeFlags: readonly string[] = [],
): Promise<TracedServer> {
  const { program, port, token } = await spawnTraced(straceArguments, environment, nodeFlags);
  await whenReady(port, program);
  return {
    ...program,
    token,
    fetch: (path, init = {}) =>
      fetch(`http://127.0.0.1:${port}${path}`, { ...init, headers: { authorization: `Bearer ${token}` } }),
    async stop(signal) {
      program.child.kill(signal);
      return program.exit;
    },
  };
}

/** The same without waiting for it to be ready, which it may never be. */
export async function spawnTraced(
  straceArguments: readonly string[],
  environment: Record<string, string>,
  nodeFlags: readonly string[] = [],
) {
  const port = await freePort();
  const token = 'a-key-of-the-tests-and-of-nothing-else';
  const [node, ...rest] = PROGRAM;
  // -D: the server is the child of this process, and strace ends with it; its exit is told once strace has written all.
  const command = ['strace', '-D', '-f', '-qq', ...straceArguments, node, ...nodeFlags, ...rest, 'serve'];
  const settings = { PORT: String(port), SECRET_MANAGER_API_KEY: token, ...environment };
  return { program: startProgram(settings, { command }), port, token };
}
