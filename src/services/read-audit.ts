// The audit events of values that leave. The one rule: a value leaves only after its event is durable. Reads that arrive
// together share a commit.

import type { AuditAction, AuditTarget } from '../domain/audit-events.ts';
import type { SecretValue } from '../domain/secrets.ts';
import type { AuditRepository } from '../storage/storage.ts';
import { type Caller, callerEvent } from './caller.ts';

export interface ReadAudit {
  /** One event for each target, or one without. The values may leave when it resolves; otherwise they must not. */
  recordRead(caller: Caller, action: AuditAction, ...targets: AuditTarget[]): Promise<void>;
  /** Records that these values are read together, and gives them back. None at all is no read. */
  release(caller: Caller, action: 'value.list' | 'value.list-all', values: SecretValue[]): Promise<SecretValue[]>;
}

export function createReadAudit(audit: Pick<AuditRepository, 'record'>): ReadAudit {
  const recordRead: ReadAudit['recordRead'] = (caller, action, ...targets) =>
    audit.record(callerEvent(caller, action), targets);

  return {
    recordRead,

    async release(caller, action, values) {
      const [first] = values;
      if (first === undefined) return values;
      if (action === 'value.list-all') await recordRead(caller, action);
      else await recordRead(caller, action, { kind: 'list', id: first.secretListId, parentId: null });
      return values;
    },
  };
}
