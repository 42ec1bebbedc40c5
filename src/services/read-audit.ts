// The audit events of values that leave. The one rule: a value leaves only after its event is durable. Reads that arrive
// together share a commit.

import type { AuditAction, AuditTarget } from '../domain/audit-events.ts';
import type { AuditRepository } from '../storage/storage.ts';
import { type Caller, callerEvent } from './caller.ts';

export interface ReadAudit {
  /** One event for each target, or one without. The values may leave when it resolves; otherwise they must not. */
  recordRead(caller: Caller, action: AuditAction, ...targets: AuditTarget[]): Promise<void>;
}

export function createReadAudit(audit: Pick<AuditRepository, 'record'>): ReadAudit {
  return {
    recordRead: (caller, action, ...targets) => audit.record(callerEvent(caller, action), targets),
  };
}
