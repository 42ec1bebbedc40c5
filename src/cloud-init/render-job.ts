// What is asked of the renderer, in a form that can be handed to another thread.

import type { DocumentKind } from './document-kinds.ts';
import { checkUserData, type Rendering, renderUserData, type UserDataCheck } from './user-data.ts';

interface JobOptions {
  /** Of a document that doesn't say its kind itself. */
  readonly knownKind?: DocumentKind | undefined;
}

export type RenderJob = JobOptions &
  (
    | { readonly kind: 'render'; readonly document: Uint8Array; readonly values: ReadonlyMap<string, string> }
    /** Without `knownKeys` every key counts as known. */
    | { readonly kind: 'check'; readonly document: Uint8Array; readonly knownKeys: ReadonlySet<string> | undefined }
  );

export type RenderResult = Rendering | UserDataCheck;

export function runRenderJob(job: RenderJob): RenderResult {
  if (job.kind === 'render') return renderUserData(job.document, (key) => job.values.get(key), job.knownKind);
  return checkUserData(job.document, (key) => job.knownKeys?.has(key) ?? true, job.knownKind);
}
