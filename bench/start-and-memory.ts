// npm run bench: how long a cold start takes until /readyz answers, and what the process holds when idle.
// Each round is a new process on a new data directory; medians over the rounds.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ROUNDS = 7;
const PORT = 18_080;
const IDLE_MS = 2_000;
const LAUNCHER = join(import.meta.dirname, '../bin/secret-manager');

interface Round {
  readonly readyMs: number;
  readonly idleMegabytes: number;
}

async function measureRound(): Promise<Round> {
  const directory = mkdtempSync(join(tmpdir(), 'secret-manager-bench-'));
  const { PATH = '', HOME = '' } = process.env;
  const startedAt = performance.now();
  const server = spawn(LAUNCHER, {
    env: { PATH, HOME, PORT: String(PORT), SECRET_MANAGER_DATA_DIR: directory },
    stdio: 'ignore',
  });
  try {
    while (!(await isReady())) await sleep(2);
    const readyMs = performance.now() - startedAt;
    await sleep(IDLE_MS);
    return { readyMs, idleMegabytes: residentMegabytes(server.pid) };
  } finally {
    server.kill('SIGTERM');
    await once(server, 'exit');
    rmSync(directory, { recursive: true });
  }
}

function isReady(): Promise<boolean> {
  return new Promise((resolve) => {
    get({ port: PORT, path: '/readyz', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    }).on('error', () => resolve(false));
  });
}

function residentMegabytes(pid: number | undefined): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1024;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const rounds: Round[] = [];
for (let i = 0; i < ROUNDS; i += 1) rounds.push(await measureRound());
console.log(`Node ${process.version}, ${cpus().length} cores, ${cpus()[0]?.model}; medians of ${ROUNDS} rounds`);
console.log(`cold start to /readyz: ${median(rounds.map(({ readyMs }) => readyMs)).toFixed(0)} ms`);
console.log(`idle resident memory:  ${median(rounds.map(({ idleMegabytes }) => idleMegabytes)).toFixed(0)} MB`);
