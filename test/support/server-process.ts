// The real program as a process of its own: `node src/main.ts`, as `npm start` runs it.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryDirectory } from './temporary-directory.ts';

const MAIN = join(import.meta.dirname, '../../src/main.ts');
export const NODE_FLAGS = ['--disable-sigusr1', '--report-exclude-env'];

const servers: ChildProcess[] = [];

export function killServerProcesses(): void {
  for (const server of servers.splice(0)) server.kill('SIGKILL');
}

export interface CommandOutcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. The environment is only what is given, PATH and HOME. */
export async function runCommand(args: string[], environment: Record<string, string> = {}): Promise<CommandOutcome> {
  const child = spawnMain(args, environment);
  const output = collectOutput(child);
  await once(child, 'close');
  return { exitCode: child.exitCode, stdout: output.stdout(), stderr: output.stderr() };
}

export interface ServerProcess {
  readonly child: ChildProcess;
  readonly url: string;
  readonly port: number;
  readonly dataDirectory: string;
  readonly token: string;
  stdout(): string;
  stderr(): string;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Sends the signal and resolves with the exit code, or the signal's name, and how long it took. */
  stop(signal?: NodeJS.Signals): Promise<{ exit: number | NodeJS.Signals | null; tookMs: number }>;
}

/** Starts a server on a free port and waits until it answers /readyz. Killed when the test file ends. */
export async function startServerProcess(environment: Record<string, string> = {}): Promise<ServerProcess> {
  const dataDirectory = environment['SECRET_MANAGER_DATA_DIR'] ?? temporaryDirectory();
  const token = environment['SECRET_MANAGER_API_KEY'] ?? 'a-key-of-the-tests-and-of-nothing-else';
  const child = spawnMain(['serve'], {
    SECRET_MANAGER_DATA_DIR: dataDirectory,
    SECRET_MANAGER_API_KEY: token,
    PORT: '0',
    ...environment,
  });
  servers.push(child);
  const output = collectOutput(child);
  const port = await waitForPort(child, output);
  const url = `http://127.0.0.1:${port}`;
  await waitForReady(url);

  return {
    child,
    url,
    port,
    dataDirectory,
    token,
    ...output,
    fetch: (path, init = {}) =>
      fetch(url + path, { ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } }),
    async stop(signal = 'SIGTERM') {
      const startedAt = performance.now();
      const exited = once(child, 'exit');
      child.kill(signal);
      const [code, killedBy] = await exited;
      return { exit: code ?? killedBy, tookMs: performance.now() - startedAt };
    },
  };
}

function spawnMain(args: string[], environment: Record<string, string>): ChildProcess {
  const { PATH = '', HOME = '' } = process.env;
  return spawn(process.execPath, [...NODE_FLAGS, MAIN, ...args], {
    env: { PATH, HOME, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function collectOutput(child: ChildProcess) {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  return { stdout: () => stdout, stderr: () => stderr };
}

async function waitForPort(child: ChildProcess, output: ReturnType<typeof collectOutput>): Promise<number> {
  for (let tries = 0; tries < 1000; tries += 1) {
    const port = /"address":"http:\/\/[^"]*:(\d+)"/.exec(output.stdout())?.[1];
    if (port !== undefined) return Number(port);
    if (child.exitCode !== null) break;
    await sleep(10);
  }
  throw new Error(`the server did not start: ${output.stdout()}${output.stderr()}`);
}

async function waitForReady(url: string): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    const response = await fetch(`${url}/readyz`).catch(() => undefined);
    if (response?.status === 200) return;
    await sleep(10);
  }
  throw new Error('the server did not become ready');
}
