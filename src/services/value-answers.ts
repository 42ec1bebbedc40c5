// Values as the text that is sent: made once, and kept sealed until the account's revision changes. Of many values, only
// the blocks with another value in them are made again; after a deletion, those behind it too. Each answer is a read, and leaves after its audit event.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { createProcessSeal, openInMemory, type SealedInMemory } from '../crypto/process-seal.ts';
import type { AuditTarget } from '../domain/audit-events.ts';
import { ApiError } from '../domain/errors.ts';
import type { Reference } from '../domain/references.ts';
import type { SecretValue } from '../domain/secrets.ts';
import type { BlockOfValues, RevisionsRepository, ValuesRepository } from '../storage/storage.ts';
import type { Caller } from './caller.ts';
import { createKeptAnswers } from './kept-answers.ts';
import type { ReadAudit } from './read-audit.ts';
import { createSealedAnswers } from './sealed-answers.ts';
import type { ValuesService } from './values-service.ts';

const MAX_KEPT_BYTES_OF_SINGLE_VALUES = 32 * 1024 * 1024;
const MAX_KEPT_BYTES_OF_MANY_VALUES = 64 * 1024 * 1024;
/** How long values may be opened before whatever else waits gets its turn. */
const MAX_SPELL_MS = 5;
/** Changed meanwhile this often, an answer is made at one stretch; then nothing of this process comes between. */
const MAX_TRIES_IN_TURNS = 4;
const MAX_TRIES = 12;

/** The same text for the same values; of many, joined by commas and without what stands around them. */
type Write = (values: readonly SecretValue[]) => string;

export interface ValueAnswers {
  /** The text of one value in UTF-8. Throws `value_not_found`, SealBrokenError. */
  getOne(caller: Caller, list: Reference, value: Reference, write: Write): Promise<Buffer>;
  /**
   * The text of all values of an account, or of one of its lists, ordered by id; in UTF-8, in pieces that are to be
   * joined by commas. Throws SealBrokenError when one of them doesn't open: never a part of them.
   */
  getMany(caller: Caller, listId: number | null, write: Write): Promise<readonly Buffer[]>;
}

interface KeptBlock extends BlockOfValues, SealedInMemory {}

interface ManyValues {
  readonly revision: string;
  readonly blocks: readonly KeptBlock[];
}

export function createValueAnswers(deps: {
  values: ValuesRepository;
  revisions: RevisionsRepository;
  service: Pick<ValuesService, 'get' | 'openRange'>;
  reads: ReadAudit;
}): ValueAnswers {
  const { values, revisions, service, reads } = deps;
  const seal = createProcessSeal();
  const single = createSealedAnswers<AuditTarget>(revisions, MAX_KEPT_BYTES_OF_SINGLE_VALUES);
  const keptMany = createKeptAnswers<ManyValues>(MAX_KEPT_BYTES_OF_MANY_VALUES);
  /** What is being made for somebody, and will do for others. */
  const underWay = new Map<string, Promise<readonly Buffer[]>>();

  /** undefined when another process deleted some of them meanwhile. */
  async function makeBlock(accountId: number, listId: number | null, place: BlockOfValues, write: Write) {
    const opened = await service.openRange(accountId, listId, place);
    return opened.length === place.count ? Buffer.from(write(opened)) : undefined;
  }

  async function makeMany(
    accountId: number,
    listId: number | null,
    known: readonly KeptBlock[],
    write: Write,
    isInTurns: boolean,
  ) {
    const reusable = new Map(known.map((block) => [block.marks, block]));
    const blocks: KeptBlock[] = [];
    const pieces: Buffer[] = [];
    let spellBeganAt = performance.now();
    const layout = await values.listBlocks(accountId, listId);
    for (const place of layout) {
      const old = reusable.get(place.marks);
      const piece = old === undefined ? await makeBlock(accountId, listId, place, write) : openInMemory(old);
      if (piece === undefined) break;
      pieces.push(piece);
      blocks.push(old ?? { ...place, ...seal(piece) });
      if (isInTurns && performance.now() - spellBeganAt > MAX_SPELL_MS) {
        await nextTurn();
        spellBeganAt = performance.now();
      }
    }
    return { blocks, pieces, isWhole: blocks.length === layout.length };
  }

  async function makeUntilCurrent(name: string, accountId: number, listId: number | null, write: Write) {
    let known = keptMany.find(name)?.blocks ?? [];
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const revision = await revisions.ofAccount(accountId);
      const { blocks, pieces, isWhole } = await makeMany(accountId, listId, known, write, tries < MAX_TRIES_IN_TURNS);
      known = blocks;
      // Turns have passed, in which another process can have committed.
      await revisions.ofApiKeys();
      if (isWhole && revision === (await revisions.ofAccount(accountId))) {
        keptMany.keep(name, { revision, blocks }, sizeOf(blocks));
        return pieces;
      }
    }
    throw new ApiError('storage_unavailable');
  }

  async function getPieces(accountId: number, listId: number | null, write: Write): Promise<readonly Buffer[]> {
    const revision = await revisions.ofAccount(accountId);
    const name = `${accountId} ${listId}`;
    const kept = keptMany.find(name);
    if (kept?.revision === revision) return kept.blocks.map(openInMemory);
    const work = `${name} ${revision}`;
    const making = underWay.get(work) ?? makeUntilCurrent(name, accountId, listId, write);
    underWay.set(work, making);
    return making.finally(() => underWay.delete(work));
  }

  function recordMany(caller: Caller, listId: number | null): Promise<void> {
    if (listId === null) return reads.recordRead(caller, 'value.list-all');
    return reads.recordRead(caller, 'value.list', { kind: 'list', id: listId, parentId: null });
  }

  return {
    async getOne(caller, list, value, write) {
      const { text, about } = await single.get(caller.accountId, `${nameOf(list)} ${nameOf(value)}`, async () => {
        const found = await service.get(caller, list, value);
        return { text: write([found]), about: { kind: 'value', id: found.id, parentId: found.secretListId } };
      });
      await reads.recordRead(caller, 'value.read', about);
      return text;
    },

    async getMany(caller, listId, write) {
      const pieces = await getPieces(caller.accountId, listId, write);
      if (pieces.length > 0) await recordMany(caller, listId);
      return pieces;
    },
  };
}

/** Quoted, so that no two pairs of names are alike. */
function nameOf(reference: Reference): string {
  return 'id' in reference ? String(reference.id) : JSON.stringify(reference.name);
}

function sizeOf(blocks: readonly KeptBlock[]): number {
  let bytes = 0;
  for (const { sealed, marks } of blocks) bytes += sealed.length + marks.length;
  return bytes;
}
