// All values of a list or an account, as the text that is sent. While nothing changes, opening what was kept is all it
// costs; after a change, only the blocks with another value in them are made again.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { ApiError } from '../domain/errors.ts';
import type { SealedSecretValue, SecretValue } from '../domain/secrets.ts';
import type { BlockOfValues, RevisionsRepository, ValuesRepository } from '../storage/storage.ts';
import { createKeptAnswers, type KeptBlock, keepBlock, openBlock } from './kept-answers.ts';

const MAX_KEPT_BYTES = 64 * 1024 * 1024;
/** How long values may be opened before whatever else waits gets its turn. */
const MAX_SPELL_MS = 5;
/** Changed meanwhile this often, an answer is made at one stretch; then nothing of this process comes between. */
const MAX_TRIES_IN_TURNS = 4;
const MAX_TRIES = 12;

/** Values as text, joined by commas, without what stands around them; the same text for the same values. */
export type WriteValues = (values: readonly SecretValue[]) => string;

export interface ValuesAnswer {
  /** Of the account, when these were its values. */
  readonly revision: string;
  /** The text in UTF-8, in pieces that are to be joined by commas. */
  readonly pieces: readonly Buffer[];
}

export interface ValueAnswers {
  /**
   * The values of an account, or of one of its lists, ordered by id. Throws SealBrokenError when one of them doesn't
   * open: never a part of them.
   */
  get(accountId: number, listId: number | null, write: WriteValues): Promise<ValuesAnswer>;
}

interface Made {
  readonly revision: string;
  readonly blocks: readonly KeptBlock[];
  readonly pieces: readonly Buffer[];
}

export function createValueAnswers(deps: {
  values: ValuesRepository;
  revisions: RevisionsRepository;
  open: (accountId: number, records: readonly SealedSecretValue[]) => Promise<SecretValue[]>;
}): ValueAnswers {
  const { values, revisions } = deps;
  const kept = createKeptAnswers(MAX_KEPT_BYTES);
  /** What is being made for some request and can be shared by others. */
  const underWay = new Map<string, Promise<ValuesAnswer>>();

  async function makeBlock(accountId: number, listId: number | null, place: BlockOfValues, write: WriteValues) {
    const records = await values.listRange(accountId, listId, place);
    return Buffer.from(write(await deps.open(accountId, records)));
  }

  async function makeOnce(
    accountId: number,
    listId: number | null,
    known: readonly KeptBlock[],
    write: WriteValues,
    isInTurns: boolean,
  ): Promise<Made> {
    const revision = await revisions.ofAccount(accountId);
    const reusable = new Map(known.map((block) => [block.marks, block]));
    const blocks: KeptBlock[] = [];
    const pieces: Buffer[] = [];
    let spellBeganAt = performance.now();
    for (const place of await values.listBlocks(accountId, listId)) {
      const old = reusable.get(place.marks);
      const piece = old === undefined ? await makeBlock(accountId, listId, place, write) : openBlock(old);
      pieces.push(piece);
      blocks.push(old ?? keepBlock(place, piece));
      if (isInTurns && performance.now() - spellBeganAt > MAX_SPELL_MS) {
        await nextTurn();
        spellBeganAt = performance.now();
      }
    }
    return { revision, blocks, pieces };
  }

  async function make(accountId: number, listId: number | null, write: WriteValues): Promise<ValuesAnswer> {
    const name = nameOf(accountId, listId);
    let known = kept.find(name)?.blocks ?? [];
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const made = await makeOnce(accountId, listId, known, write, tries < MAX_TRIES_IN_TURNS);
      known = made.blocks;
      if (made.revision === (await revisions.ofAccount(accountId))) {
        kept.keep(name, made);
        return made;
      }
    }
    throw new ApiError('storage_unavailable');
  }

  return {
    async get(accountId, listId, write) {
      const revision = await revisions.ofAccount(accountId);
      const name = nameOf(accountId, listId);
      const known = kept.find(name);
      if (known?.revision === revision) return { revision, pieces: known.blocks.map(openBlock) };

      const work = `${name} ${revision}`;
      let making = underWay.get(work);
      if (making === undefined) {
        making = make(accountId, listId, write).finally(() => underWay.delete(work));
        underWay.set(work, making);
      }
      return making;
    },
  };
}

function nameOf(accountId: number, listId: number | null): string {
  return `${accountId} ${listId}`;
}
