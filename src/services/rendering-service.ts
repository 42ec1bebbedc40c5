// Where documents are rendered: small ones at once, larger ones one after another on a thread of their own, which is
// ended when one takes too long. Other requests don't notice a hostile one.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { DocumentKind } from '../cloud-init/document-kinds.ts';
import { isGzip } from '../cloud-init/packing.ts';
import type { RenderJob, RenderResult } from '../cloud-init/render-job.ts';
import type { Rendering, UserDataCheck } from '../cloud-init/user-data.ts';
import { ApiError } from '../domain/errors.ts';

/** Takes about 10 ms at worst; larger documents go to the thread. */
const MAX_INLINE_BYTES = 8_192;
/** Password hashes take longer than the document's size says, and so does what is packed. */
const IS_SLOW = /sha512crypt|mime-version:/i;
const MAX_JOB_MS = 10_000;
/** What may wait for the thread; more is answered with 503. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** An idle thread is ended, since it holds as much memory as the rest of the server. */
const IDLE_MS = 10_000;
const WORKER = new URL('./render-worker.ts', import.meta.url);

export interface RenderingService {
  /** `knownKind` for a document that doesn't say its kind itself. */
  render(document: Uint8Array, values: ReadonlyMap<string, string>, knownKind?: DocumentKind): Promise<Rendering>;
  /** Without `knownKeys` every key counts as known. */
  check(document: Uint8Array, knownKeys?: ReadonlySet<string>, knownKind?: DocumentKind): Promise<UserDataCheck>;
  close(): Promise<void>;
}

function isQuick(document: Uint8Array): boolean {
  if (document.length > MAX_INLINE_BYTES) return false;
  const bytes = Buffer.from(document);
  return !isGzip(bytes) && !IS_SLOW.test(bytes.toString('latin1'));
}

/** The parser is loaded with the first document: it would be a tenth of the memory of an idle server. */
async function runInline(job: RenderJob): Promise<RenderResult> {
  const { runRenderJob } = await import('../cloud-init/render-job.ts');
  return runRenderJob(job);
}

export function createRenderingService(): RenderingService {
  let worker: Worker | undefined;
  let idleTimer: NodeJS.Timeout | undefined;
  let waitingBytes = 0;
  let previousJob: Promise<unknown> = Promise.resolve();

  async function endWorker(): Promise<void> {
    clearTimeout(idleTimer);
    const ended = worker;
    worker = undefined;
    await ended?.terminate();
  }

  async function runOnThread(job: RenderJob): Promise<RenderResult> {
    clearTimeout(idleTimer);
    worker ??= new Worker(WORKER, { env: {}, stderr: true, stdout: true });
    worker.postMessage(job);
    try {
      const [result] = await once(worker, 'message', { signal: AbortSignal.timeout(MAX_JOB_MS) });
      idleTimer = setTimeout(() => void endWorker(), IDLE_MS).unref();
      return result as RenderResult;
    } catch (error) {
      await endWorker();
      throw new ApiError('rendering_failed', { cause: error });
    }
  }

  async function run(job: RenderJob): Promise<RenderResult> {
    const { length } = job.document;
    if (isQuick(job.document)) return runInline(job);
    if (waitingBytes + length > MAX_WAITING_BYTES) throw new ApiError('rendering_busy');
    waitingBytes += length;
    const current = previousJob.then(() => runOnThread(job));
    previousJob = current.catch(() => undefined);
    try {
      return await current;
    } finally {
      waitingBytes -= length;
    }
  }

  return {
    render: async (document, values, knownKind) =>
      (await run({ kind: 'render', document, values, knownKind })) as Rendering,
    check: async (document, knownKeys, knownKind) =>
      (await run({ kind: 'check', document, knownKeys, knownKind })) as UserDataCheck,
    close: endWorker,
  };
}
