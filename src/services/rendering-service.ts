// Where documents are rendered: small ones at once, larger ones one after another on a thread of their own, which is
// ended when one takes too long. Other requests don't notice a hostile one.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { DocumentKind } from '../cloud-init/document-kinds.ts';
import { isGzip } from '../cloud-init/packing.ts';
import type { RenderJob, RenderResult } from '../cloud-init/render-job.ts';
import type { Rendering, UserDataCheck } from '../cloud-init/user-data.ts';
import { ApiError } from '../domain/errors.ts';
import { createFairQueue } from './fair-queue.ts';

/** Documents with their values that take about 10 ms at worst; larger ones go to the thread. */
const MAX_INLINE_BYTES = 8_192;
/** Password hashes take longer than the document's size says, and so does what is packed. */
const IS_SLOW = /sha512crypt|mime-version:/i;
const MAX_JOB_MS = 10_000;
/** What may wait for the thread, documents and values; more is answered with 503. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
const MAX_WAITING_JOBS = 5_000;
/** An idle thread is ended: it holds a heap and the parser for nothing. */
const IDLE_MS = 10_000;
/** Enough for what a document of 1 MiB takes; beyond it the thread ends, not the server. */
const THREAD_LIMITS = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 16 };
const WORKER = new URL('./render-worker.ts', import.meta.url);

export interface RenderingService {
  /** `knownKind` for a document that doesn't say its kind itself. */
  render(
    accountId: number,
    document: Uint8Array,
    values: ReadonlyMap<string, string>,
    knownKind?: DocumentKind,
  ): Promise<Rendering>;
  /** Without `knownKeys` every key counts as known. */
  check(
    accountId: number,
    document: Uint8Array,
    knownKeys?: ReadonlySet<string>,
    knownKind?: DocumentKind,
  ): Promise<UserDataCheck>;
  close(): Promise<void>;
}

/** The parser is loaded with the first document: an idle server does without its memory. */
async function runInline(job: RenderJob): Promise<RenderResult> {
  const { runRenderJob } = await import('../cloud-init/render-job.ts');
  return runRenderJob(job);
}

export function createRenderingService(): RenderingService {
  const queue = createFairQueue();
  let worker: Worker | undefined;
  let idleTimer: NodeJS.Timeout | undefined;
  let isClosed = false;
  let waitingBytes = 0;
  let waitingJobs = 0;

  async function endWorker(): Promise<void> {
    clearTimeout(idleTimer);
    const ended = worker;
    worker = undefined;
    await ended?.terminate();
  }

  function startWorker(): Worker {
    const started = new Worker(WORKER, { env: {}, stderr: true, stdout: true, resourceLimits: THREAD_LIMITS });
    // Told to the job that is running; between jobs nobody else listens.
    started.on('error', () => undefined);
    return started;
  }

  async function runOnThread(job: RenderJob): Promise<RenderResult> {
    if (isClosed) throw new ApiError('stopping');
    clearTimeout(idleTimer);
    worker ??= startWorker();
    const finished = new AbortController();
    const signal = AbortSignal.any([finished.signal, AbortSignal.timeout(MAX_JOB_MS)]);
    try {
      const answered = Promise.race([once(worker, 'message', { signal }), exited(worker, signal)]);
      worker.postMessage(job);
      const [result] = await answered;
      idleTimer = setTimeout(() => void endWorker(), IDLE_MS).unref();
      return result as RenderResult;
    } catch (error) {
      await endWorker();
      if (isTooMuch(error)) throw new ApiError('rendering_failed', { cause: error });
      throw error;
    } finally {
      // Takes the listeners off again.
      finished.abort();
    }
  }

  async function run(accountId: number, job: RenderJob): Promise<RenderResult> {
    const bytes = sizeOf(job);
    if (bytes <= MAX_INLINE_BYTES && !isSlow(job.document)) return runInline(job);
    if (waitingBytes + bytes > MAX_WAITING_BYTES || waitingJobs >= MAX_WAITING_JOBS) {
      throw new ApiError('rendering_busy');
    }
    waitingBytes += bytes;
    waitingJobs += 1;
    try {
      return await queue.run(accountId, () => runOnThread(job));
    } finally {
      waitingBytes -= bytes;
      waitingJobs -= 1;
    }
  }

  return {
    render: async (accountId, document, values, knownKind) =>
      (await run(accountId, { kind: 'render', document, values, knownKind })) as Rendering,
    check: async (accountId, document, knownKeys, knownKind) =>
      (await run(accountId, { kind: 'check', document, knownKeys, knownKind })) as UserDataCheck,
    async close() {
      isClosed = true;
      await endWorker();
    },
  };
}

/** Rejects when the thread ends before it has answered. */
async function exited(worker: Worker, signal: AbortSignal): Promise<never> {
  await once(worker, 'exit', { signal });
  throw new Error('the rendering thread ended without an answer');
}

function isTooMuch(error: unknown): boolean {
  const { name, code } = error as NodeJS.ErrnoException;
  return name === 'AbortError' || name === 'TimeoutError' || code === 'ERR_WORKER_OUT_OF_MEMORY';
}

function sizeOf(job: RenderJob): number {
  let bytes = job.document.length;
  if (job.kind === 'render') for (const value of job.values.values()) bytes += value.length;
  return bytes;
}

function isSlow(document: Uint8Array): boolean {
  const bytes = Buffer.from(document);
  return isGzip(bytes) || IS_SLOW.test(bytes.toString('latin1'));
}
