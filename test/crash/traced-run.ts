// A server under strace that is written to, ended and started again: the trace of all of it, and the clients' ledger.

import { join } from 'node:path';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { type DiskTrace, readDiskTrace, TRACE_FLAGS } from './disk-trace.ts';
import { createLedger, type Ledger } from './ledger.ts';
import type { Random } from './seeded-random.ts';
import { startTraced } from './strace.ts';
import { runWriteLoad } from './write-load.ts';

export interface TracedRun {
  readonly trace: DiskTrace;
  readonly ledger: Ledger;
}

/** How each process of a run ends, and how many bursts each client wrote before. */
export interface Stretch {
  readonly end: 'SIGKILL' | 'SIGTERM';
  readonly bursts: number;
}

const CLIENTS = 5;

/** From a first start in an empty directory on. Clients have all their answers before a process is ended. */
export async function traceRun(
  random: Random,
  stretches: readonly Stretch[],
  nodeFlags: readonly string[] = [],
): Promise<TracedRun> {
  const base = temporaryDirectory();
  const directory = join(base, 'data');
  const traceFile = join(base, 'trace');
  const ledger = createLedger();
  for (const { end, bursts } of stretches) {
    // Neither its own cache nor a ring of requests: what is written is written by calls that are traced.
    const environment = { SECRET_MANAGER_DATA_DIR: directory, NODE_DISABLE_COMPILE_CACHE: '1', UV_USE_IO_URING: '0' };
    const server = await startTraced([...TRACE_FLAGS, '-A', '-o', traceFile], environment, nodeFlags);
    await runWriteLoad(server, { ledger, random, clients: CLIENTS, stepsEach: bursts });
    await server.stop(end);
  }
  const unanswered = ledger.operations.filter(({ outcome }) => outcome !== 'acknowledged');
  if (unanswered.length > 0) throw new Error(`not every write was acknowledged: ${unanswered[0]?.description}`);
  const trace = readDiskTrace(traceFile, directory);
  for (const { requestId = '', description } of ledger.operations) {
    if (!trace.answers.has(requestId)) throw new Error(`the trace has no answer to ${description}`);
  }
  return { trace, ledger };
}
