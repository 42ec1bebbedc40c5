// A memory for answers that is bounded in bytes: what was not asked for the longest goes first.

/** What an entry takes beside the bytes that it says, about. */
const ENTRY_OVERHEAD_BYTES = 512;

export interface KeptAnswers<T> {
  find(name: string): T | undefined;
  /** `bytes` is what it takes, about. One that is larger than the whole memory isn't kept. */
  keep(name: string, answer: T, bytes: number): void;
}

export function createKeptAnswers<T>(maxBytes: number): KeptAnswers<T> {
  /** The longest unused first. */
  const entries = new Map<string, { readonly answer: T; readonly bytes: number }>();
  let bytesInAll = 0;

  function forget(name: string): void {
    bytesInAll -= entries.get(name)?.bytes ?? 0;
    entries.delete(name);
  }

  return {
    find(name) {
      const entry = entries.get(name);
      if (entry === undefined) return undefined;
      entries.delete(name);
      entries.set(name, entry);
      return entry.answer;
    },

    keep(name, answer, bytes) {
      forget(name);
      if (bytes + ENTRY_OVERHEAD_BYTES > maxBytes) return;
      const entry = { answer, bytes: bytes + ENTRY_OVERHEAD_BYTES };
      entries.set(name, entry);
      bytesInAll += entry.bytes;
      for (const oldest of entries.keys()) {
        if (bytesInAll <= maxBytes) break;
        forget(oldest);
      }
    },
  };
}
