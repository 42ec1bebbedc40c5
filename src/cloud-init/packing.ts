// gzip in and out, within the budget of a pass.

import type { Buffer } from 'node:buffer';
import { gunzipSync, gzipSync } from 'node:zlib';
import { MAX_USER_DATA_BYTES } from '../domain/limits.ts';
import type { RenderPass } from './render-pass.ts';

/** By its first two bytes, as cloud-init decides. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** What was packed; undefined when it can't be unpacked, or not within the limit of a document and of the pass. */
export function gunzipWithin(bytes: Uint8Array, pass: RenderPass): Buffer | undefined {
  const maxOutputLength = Math.min(MAX_USER_DATA_BYTES, pass.unpackBudget);
  if (maxOutputLength <= 0) return undefined;
  try {
    const unpacked = gunzipSync(bytes, { maxOutputLength });
    pass.spendUnpacked(unpacked.length);
    return unpacked;
  } catch {
    return undefined;
  }
}

/** The same bytes for the same input: no time is written into it. */
export function gzip(bytes: Uint8Array): Buffer {
  return gzipSync(bytes);
}
