// The program as a process whose streams a test chooses. startServerProcess is for all who don't care about them.

import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NODE_FLAGS } from './server-process.ts';

/** How the program is started, from any directory. */
export const PROGRAM: readonly [string, ...string[]] = [
  process.execPath,
  ...NODE_FLAGS,
  join(import.meta.dirname, '../../src/main.ts'),
];

/** Halves the time that a process takes to start; to be given as part of its environment. */
export const QUICK_START = {
  NODE_COMPILE_CACHE: join(import.meta.dirname, '../../node_modules/.cache/secret-manager'),
};

const started: ChildProcess[] = [];

export function killPrograms(): void {
  for (const child of started.splice(0)) child.kill('SIGKILL');
}

export interface Program {
  readonly child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** The exit code, or the signal's name, once all output is here. */
  readonly exit: Promise<number | NodeJS.Signals>;
}

/** Killed when the test file ends. The environment is only what is given, PATH and HOME. */
export function startProgram(
  environment: Record<string, string>,
  options: { command?: readonly string[]; stdio?: StdioOptions } = {},
): Program {
  const { PATH = '', HOME = '' } = process.env;
  const [command = '', ...args] = options.command ?? PROGRAM;
  const child = spawn(command, args, {
    env: { PATH, HOME, ...QUICK_START, ...environment },
    stdio: options.stdio ?? ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  const output = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk) => {
    output.stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    output.stderr += chunk;
  });
  const exit = once(child, 'close').then(([code, signal]) => code ?? signal);
  return { child, stdout: () => output.stdout, stderr: () => output.stderr, exit };
}

/** Sends SIGTERM, or another signal, and tells how the process ended and how long that took. */
export async function stopProgram(
  { child, exit }: Pick<Program, 'child' | 'exit'>,
  signal: NodeJS.Signals = 'SIGTERM',
) {
  const startedAt = performance.now();
  child.kill(signal);
  return { exit: await exit, tookMs: performance.now() - startedAt };
}

/** A port that nothing listens on at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Waits until the condition holds; what it throws counts as "not yet". */
export async function eventually(condition: () => unknown, what: string): Promise<void> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    try {
      if (await condition()) return;
    } catch {}
    await sleep(15);
  }
  throw new Error(`still waiting: ${what}`);
}

/** Resolves when the server is ready; rejects when it isn't, or when the program ends instead. */
export async function whenReady(port: number, { child, stderr }: Program): Promise<void> {
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const isReady = async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  await eventually(async () => hasEnded() || (await isReady()), 'the server is ready');
  if (hasEnded()) throw new Error(`the server ended instead of becoming ready: ${stderr()}`);
}
