// Answers kept in memory, sealed under keys that only this process has; bounded in bytes.

import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { open, seal } from '../crypto/envelope.ts';
import type { BlockOfValues } from '../storage/storage.ts';

const NO_ASSOCIATED_DATA = new Uint8Array();
const KEY_BYTES = 32;
/** What a block takes beside its bytes, about. */
const BLOCK_OVERHEAD_BYTES = 1_024;

/** The text of a block of values, sealed under a key of its own. */
export interface KeptBlock extends BlockOfValues {
  readonly key: KeyObject;
  readonly sealed: Buffer;
}

export function keepBlock(block: BlockOfValues, text: Buffer): KeptBlock {
  const key = createSecretKey(randomBytes(KEY_BYTES));
  return { ...block, key, sealed: seal(key, text, NO_ASSOCIATED_DATA) };
}

export function openBlock({ key, sealed }: KeptBlock): Buffer {
  return open(key, sealed, NO_ASSOCIATED_DATA);
}

export interface KeptAnswer {
  readonly revision: string;
  readonly blocks: readonly KeptBlock[];
}

export interface KeptAnswers {
  find(name: string): KeptAnswer | undefined;
  keep(name: string, answer: KeptAnswer): void;
}

/** What was not asked for the longest goes first; an answer larger than all of `maxBytes` isn't kept. */
export function createKeptAnswers(maxBytes: number): KeptAnswers {
  /** The longest unused first. */
  const answers = new Map<string, { readonly answer: KeptAnswer; readonly bytes: number }>();
  let bytesInAll = 0;

  function forget(name: string): void {
    bytesInAll -= answers.get(name)?.bytes ?? 0;
    answers.delete(name);
  }

  return {
    find(name) {
      const entry = answers.get(name);
      if (entry === undefined) return undefined;
      answers.delete(name);
      answers.set(name, entry);
      return entry.answer;
    },

    keep(name, answer) {
      forget(name);
      const bytes = sizeOf(answer);
      answers.set(name, { answer, bytes });
      bytesInAll += bytes;
      for (const oldest of answers.keys()) {
        if (bytesInAll <= maxBytes) break;
        forget(oldest);
      }
    },
  };
}

function sizeOf({ blocks }: KeptAnswer): number {
  let bytes = BLOCK_OVERHEAD_BYTES;
  for (const { sealed, marks } of blocks) bytes += sealed.length + marks.length + BLOCK_OVERHEAD_BYTES;
  return bytes;
}
