// The servers under load: ours on a data directory of its own, and the ceiling. Their logs go to /dev/null.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answers } from './answers.ts';

const LAUNCHER = join(import.meta.dirname, '../../bin/secret-manager');
const CEILING = join(import.meta.dirname, 'ceiling.ts');
export const KEY = 'a-key-of-the-benchmark-and-of-nothing-else';

export interface RunningServer {
  readonly port: number;
  residentMegabytes(): number;
  stop(): Promise<void>;
}

export async function startSecretManager(port: number): Promise<RunningServer> {
  const directory = mkdtempSync(join(tmpdir(), 'secret-manager-bench-'));
  const child = spawn(LAUNCHER, {
    env: {
      ...callerEnvironment(),
      PORT: String(port),
      SECRET_MANAGER_DATA_DIR: directory,
      SECRET_MANAGER_API_KEY: KEY,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return running(child, port, directory);
}

export async function startCeiling(port: number, answers: Answers): Promise<RunningServer> {
  const directory = mkdtempSync(join(tmpdir(), 'secret-manager-bench-'));
  const file = join(directory, 'answers.json');
  writeFileSync(file, JSON.stringify(answers));
  const child = spawn(process.execPath, [CEILING, String(port), file], { stdio: ['ignore', 'ignore', 'inherit'] });
  return running(child, port, directory);
}

async function running(child: ChildProcess, port: number, directory: string): Promise<RunningServer> {
  while (!(await isListening(port))) {
    if (child.exitCode !== null) throw new Error(`the server for port ${port} ended with ${child.exitCode}`);
    await sleep(20);
  }
  return {
    port,
    residentMegabytes: () => residentMegabytes(child.pid),
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
      rmSync(directory, { recursive: true });
    },
  };
}

async function isListening(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/readyz`).then(
    () => true,
    () => false,
  );
}

function callerEnvironment(): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env;
  return { PATH, HOME };
}

function residentMegabytes(pid: number | undefined): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1024;
}
