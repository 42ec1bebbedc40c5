// A thread that renders and checks documents which would keep the main thread busy for too long.

import { parentPort } from 'node:worker_threads';
import { type RenderJob, runRenderJob } from '../cloud-init/render-job.ts';

parentPort?.on('message', (job: RenderJob) => parentPort?.postMessage(runRenderJob(job)));
