// What is asked of the renderer, in a form that can be handed to another thread.

import { checkUserData, type Rendering, renderUserData, type UserDataCheck } from './user-data.ts';

export type RenderJob =
  | { readonly kind: 'render'; readonly document: Uint8Array; readonly values: ReadonlyMap<string, string> }
  /** Without `knownKeys` every key counts as known. */
  | { readonly kind: 'check'; readonly document: Uint8Array; readonly knownKeys: ReadonlySet<string> | undefined };

export type RenderResult = Rendering | UserDataCheck;

export function runRenderJob(job: RenderJob): RenderResult {
  if (job.kind === 'render') return renderUserData(job.document, (key) => job.values.get(key));
  return checkUserData(job.document, (key) => job.knownKeys?.has(key) ?? true);
}
