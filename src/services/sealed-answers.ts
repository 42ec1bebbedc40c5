// Answers as the text that is sent, kept sealed until the account's revision changes.

import { createProcessSeal, openInMemory, type SealedInMemory } from '../crypto/process-seal.ts';
import type { RevisionsRepository } from '../storage/storage.ts';
import { createKeptAnswers } from './kept-answers.ts';

export interface SealedAnswers<About> {
  /** The answer of that name, in UTF-8; made anew unless the kept one is of the account's current revision. */
  get(
    accountId: number,
    name: string,
    make: () => Promise<{ readonly text: string; readonly about: About }>,
  ): Promise<{ readonly text: Buffer; readonly about: About }>;
}

interface KeptAnswer<About> extends SealedInMemory {
  readonly revision: string;
  readonly about: About;
}

/** `About` is what has to be known of an answer beside its text; it isn't sealed. */
export function createSealedAnswers<About>(revisions: RevisionsRepository, maxBytes: number): SealedAnswers<About> {
  const seal = createProcessSeal();
  const kept = createKeptAnswers<KeptAnswer<About>>(maxBytes);
  return {
    async get(accountId, name, make) {
      const revision = await revisions.ofAccount(accountId);
      const fullName = `${accountId} ${name}`;
      const known = kept.find(fullName);
      if (known?.revision === revision) return { text: openInMemory(known), about: known.about };
      const { text: made, about } = await make();
      const text = Buffer.from(made);
      kept.keep(fullName, { revision, about, ...seal(text) }, text.length + fullName.length);
      return { text, about };
    },
  };
}
