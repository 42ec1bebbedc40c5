// What doctor says of the audit trail: whether its chain is as it was written, and whether the head beside it fits.

import { type AuditChain, createAuditChain } from '../crypto/audit-chain.ts';
import { SealBrokenError } from '../crypto/envelope.ts';
import { type Check, type Finding, fine, type Tell, wrong } from '../domain/checks.ts';
import { OperatorError } from '../domain/errors.ts';
import type { StoreInspection } from '../storage/inspection.ts';
import { examineHead, type HeadSlots } from './audit-start.ts';
import { noChain, verifyTrail } from './audit-trail-service.ts';
import type { Unwrap } from './seal-checks.ts';

const MOST_TOLD = 3;

/** `inspect` and `unwrapper` are called once a check is run: there may be nothing to inspect, or no key at hand. */
export function trailChecks(
  inspect: () => StoreInspection,
  unwrapper: () => Unwrap,
  head: Pick<HeadSlots, 'read'>,
  needs: readonly string[],
): Check[] {
  const chain = () => openChain(inspect(), unwrapper());
  return [
    { name: 'audit trail', needs, run: async (tell) => checkTrail(await chain(), inspect(), tell) },
    { name: 'head', needs, run: async () => checkHead(await chain(), inspect(), head) },
  ];
}

async function checkTrail(chain: AuditChain, { audit }: StoreInspection, tell: Tell): Promise<Finding> {
  // The end is told by the check of the head.
  const verified = await verifyTrail(chain, audit, undefined, (events) => tell(`${events} events`));
  const { events, findings, notices } = verified;
  if (findings.length > 0) return wrong(`${enumerate(findings)} See "secret-manager audit verify".`);
  return fine([`${events} events are as they were written.`, ...notices.slice(0, MOST_TOLD)].join(' '));
}

async function checkHead(
  chain: AuditChain,
  { audit }: StoreInspection,
  head: Pick<HeadSlots, 'read'>,
): Promise<Finding> {
  const { known, refused } = await examineHead(chain, audit, head);
  return refused === undefined ? fine(`event ${known?.eventId} and all before it are there`) : wrong(refused);
}

async function openChain(inspection: StoreInspection, unwrap: Unwrap): Promise<AuditChain> {
  const key = (await inspection.listSystemKeys()).find(({ purpose }) => purpose === 'audit-chain');
  if (key === undefined) throw noChain();
  try {
    return createAuditChain(unwrap(key, { kind: 'audit-chain' }));
  } catch (error) {
    if (!(error instanceof SealBrokenError)) throw error;
    throw new OperatorError('storage', 'The audit-chain key does not unwrap; restore a backup.');
  }
}

function enumerate(sentences: readonly string[]): string {
  const told = sentences.slice(0, MOST_TOLD).join(' ');
  return sentences.length > MOST_TOLD ? `${told} And ${sentences.length - MOST_TOLD} more.` : told;
}
