// Prunes what is older than the operator wants to keep, once a day and at the start.

import type { AuditTrailService } from './audit-trail-service.ts';

const DAY_MS = 86_400_000;

/** Returns what stops it. `days` undefined keeps everything. */
export function startPruning(
  audit: Pick<AuditTrailService, 'prune'>,
  days: number | undefined,
  onFailure: (error: unknown) => void,
): () => void {
  if (days === undefined) return () => undefined;
  const prune = () => {
    const before = new Date(Date.now() - days * DAY_MS);
    audit.prune(before, 'system').catch(onFailure);
  };
  const timer = setInterval(prune, DAY_MS);
  prune();
  return () => clearInterval(timer);
}
