// Why events don't fit their hashes: changed in their places, or moved to others'.

import type { AuditChain } from '../crypto/audit-chain.ts';
import type { RecordedAuditEvent } from '../domain/audit-events.ts';

export interface Mismatch {
  readonly event: RecordedAuditEvent & { readonly hash: string };
  /** The hash of the event before it, as it stands there. */
  readonly previousHash: string;
  /** The first one with a hash, which covers all before it. */
  readonly isFirst: boolean;
}

/** One sentence for each event that was changed or moved. The mismatches are in the order of their ids. */
export function explainMismatches(chain: AuditChain, mismatches: readonly Mismatch[]): string[] {
  const sentences: string[] = [];
  /** What was once written at an id, where it was found elsewhere. */
  const rightHashes = new Map<number, string>();
  for (const { event, previousHash, isFirst } of mismatches) {
    const { id } = event;
    const previous = rightHashes.get(id - 1) ?? previousHash;
    // It fits once the one before it is back in its place.
    if (chain.hash(previous, id, event) === event.hash) continue;
    const moved = mismatches.find((other) => chain.hash(previous, id, other.event) === other.event.hash);
    if (moved === undefined) sentences.push(changed(id, isFirst));
    else {
      rightHashes.set(id, moved.event.hash);
      sentences.push(`What was written as event ${id} stands at ${moved.event.id}: events were reordered.`);
    }
  }
  return sentences;
}

function changed(id: number, isFirst: boolean): string {
  if (isFirst) return `Event ${id}, or one before it, was changed.`;
  return `Event ${id} was changed, or event ${id - 1} together with its hash.`;
}
