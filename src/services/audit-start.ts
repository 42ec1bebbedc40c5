// Begins or goes on with the audit trail's chain, and compares the store with the head that is kept outside of it: a store
// that lost what it had must not be served as if nothing had happened.

import { type AuditChain, createAuditChain } from '../crypto/audit-chain.ts';
import type { RootKeys } from '../crypto/root-keys.ts';
import { type AuditHead, CHAIN_START, type SealedAuditHead } from '../domain/audit-events.ts';
import { OperatorError } from '../domain/errors.ts';
import type { AuditReader, AuditRepository, KeysRepository, WrappedKey } from '../storage/storage.ts';
import { commandLineEvent, systemEvent } from './caller.ts';
import { newWrappedSystemKey, unwrapKey } from './keyring.ts';

/** Where the head is kept: files/head-file.ts. */
export interface HeadSlots {
  read(): SealedAuditHead[];
  create(head: SealedAuditHead): void;
  write(head: SealedAuditHead): void;
}

export interface TrailDependencies {
  readonly keys: KeysRepository;
  readonly audit: AuditRepository;
  readonly rootKeys: RootKeys;
  readonly head: HeadSlots;
  /** Called when events are found gone while the store is open. */
  readonly onTailMissing: (lastId: number, knownId: number) => void;
}

export interface StartedTrail {
  readonly chain: AuditChain;
  /** What was accepted, in one sentence; undefined when nothing was wrong. */
  readonly accepted: string | undefined;
  /** The last event of a store that had no chain until now; undefined when it had one. */
  readonly begunAfter: number | undefined;
}

const GO_ON = 'run "secret-manager serve --accept-rollback" to go on without what is missing';

/** For a store that nothing is written to yet. Throws OperatorError (`storage`) when there is the head of another one. */
export function beginTrail(deps: TrailDependencies, wrapped: WrappedKey): AuditChain {
  const [known] = deps.head.read();
  if (known === undefined || known.eventId === 0) return begin(deps, wrapped, 0, false);
  throw new OperatorError(
    'storage',
    `The database is empty, but the file head knows audit event ${known.eventId}; put the database back, or move head away to start empty.`,
  );
}

/**
 * Before anything is written; a store from before there was a chain gets one. Throws OperatorError (`storage`) when the
 * store isn't the one that the head knows; `accept` goes on with it instead and writes an audit event.
 */
export async function continueTrail(deps: TrailDependencies, accept: boolean): Promise<StartedTrail> {
  const wrapped = (await deps.keys.findSystemKeys())?.['audit-chain'];
  return wrapped === undefined ? await addChain(deps, accept) : await openChain(deps, wrapped, accept);
}

/** For looking at the trail of a store, whatever state it is in; undefined when it has no chain. */
export async function findChain({ keys, rootKeys }: Pick<TrailDependencies, 'keys' | 'rootKeys'>) {
  const wrapped = (await keys.findSystemKeys())?.['audit-chain'];
  return wrapped && unwrapChain(rootKeys, wrapped);
}

/** The newest that is genuine. */
export function findHead(chain: AuditChain, head: Pick<HeadSlots, 'read'>): SealedAuditHead | undefined {
  return head.read().find(chain.isGenuineHead);
}

/** Whether the store is the one that the head knows. `refused` is the sentence with which a start is refused, if it is. */
export async function examineHead(chain: AuditChain, audit: AuditReader, head: Pick<HeadSlots, 'read'>) {
  const { known, problem } = await compare(chain, audit, head);
  return { known, refused: problem && refusal(problem).message };
}

/** Makes the head anew, as after a restore: the store ends here, and that is right. */
export function writeHead(chain: AuditChain, head: Pick<HeadSlots, 'create'>, end: AuditHead): void {
  head.create(chain.sealHead(end));
}

async function addChain(deps: TrailDependencies, accept: boolean): Promise<StartedTrail> {
  const [known] = deps.head.read();
  const knownId = known?.eventId ?? 0;
  const problem = knownId > 0 && known ? `The database has no audit chain, but ${theHeadKnows(known)}` : undefined;
  if (problem !== undefined && !accept) throw refusal(problem);
  const wrapped = newWrappedSystemKey(deps.rootKeys.current, 'audit-chain');
  const chain = begin(deps, wrapped, knownId, problem !== undefined);
  const { lastId } = await deps.audit.findEnds();
  await deps.keys.addSystemKey('audit-chain', wrapped, systemEvent('audit.start', null));
  if (problem !== undefined) await recordAcceptance(deps, lastId, known);
  return { chain, accepted: problem, begunAfter: lastId };
}

async function openChain(deps: TrailDependencies, wrapped: WrappedKey, accept: boolean): Promise<StartedTrail> {
  const chain = unwrapChain(deps.rootKeys, wrapped);
  const { known, lastId, problem } = await compare(chain, deps.audit, deps.head);
  if (problem !== undefined && !accept) throw refusal(problem);
  if (known === undefined) writeHead(chain, deps.head, { eventId: 0, hash: CHAIN_START });
  follow(deps, chain, Math.max(known?.eventId ?? 0, lastId), problem !== undefined);
  if (problem !== undefined) await recordAcceptance(deps, lastId, known);
  return { chain, accepted: problem, begunAfter: undefined };
}

async function compare(chain: AuditChain, audit: AuditReader, head: Pick<HeadSlots, 'read'>) {
  // Before the store: a server that goes on writing is then ahead, never behind.
  const known = findHead(chain, head);
  const { lastId } = await audit.findEnds();
  return { known, lastId, problem: await findProblem(audit, known, lastId) };
}

async function findProblem(
  audit: AuditReader,
  known: AuditHead | undefined,
  lastId: number,
): Promise<string | undefined> {
  if (known === undefined) {
    return 'The file head in the data directory is missing or damaged, though the database has an audit trail: it cannot be told whether the database is the newest';
  }
  if (known.eventId > lastId) return `The database ends with audit event ${lastId}, but ${theHeadKnows(known)}`;
  if (known.eventId === 0) return undefined;
  const [event] = await audit.listChained(known.eventId - 1, 1);
  if (event?.id !== known.eventId) {
    // Pruned since, when the head couldn't be written for as long.
    const { firstId } = await audit.findEnds();
    return known.eventId < firstId ? undefined : `The database has lost audit event ${known.eventId}`;
  }
  if (event.hash === known.hash) return undefined;
  return `The database has another audit event ${known.eventId} than the file head knows: it is a copy that went on by itself`;
}

function theHeadKnows({ eventId }: AuditHead): string {
  return `the file head knows event ${eventId}: an older database was put back, or its -wal file was lost`;
}

function refusal(problem: string): OperatorError {
  return new OperatorError('storage', `${problem}; put the newest back, or ${GO_ON}.`);
}

async function recordAcceptance({ audit }: TrailDependencies, lastId: number, known: AuditHead | undefined) {
  const event = commandLineEvent('audit.accept-rollback', null);
  await audit.record(event, [{ kind: 'event', id: lastId, parentId: null }], known?.hash ?? null);
}

function begin(deps: TrailDependencies, wrapped: WrappedKey, knownId: number, isAccepting: boolean): AuditChain {
  const chain = unwrapChain(deps.rootKeys, wrapped);
  // Before the first chained event: without a head there are none.
  writeHead(chain, deps.head, { eventId: 0, hash: CHAIN_START });
  follow(deps, chain, knownId, isAccepting);
  return chain;
}

function unwrapChain(rootKeys: RootKeys, wrapped: WrappedKey): AuditChain {
  return createAuditChain(unwrapKey(rootKeys, wrapped, { kind: 'audit-chain' }));
}

/** `isAccepting` is for a store whose first commit accepts that events are gone: no alarm is told of those. */
function follow(deps: TrailDependencies, chain: AuditChain, knownId: number, isAccepting: boolean): void {
  let lastKnownId = knownId;
  let isAccepted = !isAccepting;
  deps.audit.follow({
    hash: chain.hash,
    commitMac: chain.commitMac,
    lastKnownId: () => lastKnownId,
    committed(end) {
      lastKnownId = end.eventId;
      isAccepted = true;
      deps.head.write(chain.sealHead(end));
    },
    tailMissing(lastId) {
      if (isAccepted) deps.onTailMissing(lastId, lastKnownId);
    },
  });
}
