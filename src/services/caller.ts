// Who asks: handed from the edge to every use case, and turned into the audit event of what is done.

import type { Right } from '../domain/accounts.ts';
import type { AuditAction, AuditEvent } from '../domain/audit-events.ts';

/** A person or program with an API key. */
export interface Caller {
  readonly accountId: number;
  readonly apiKeyId: number;
  readonly rights: Right;
  readonly requestId: string;
  readonly address: string;
}

export function callerEvent(caller: Caller, action: AuditAction): AuditEvent {
  return {
    occurredAt: new Date().toISOString(),
    actor: 'api-key',
    accountId: caller.accountId,
    apiKeyId: caller.apiKeyId,
    action,
    requestId: caller.requestId,
    address: caller.address,
  };
}

/** Somebody on the machine itself, with the root key at hand. */
export function commandLineEvent(action: AuditAction, accountId: number | null): AuditEvent {
  return { ...systemEvent(action, accountId), actor: 'command-line' };
}

/** The server by itself. */
export function systemEvent(action: AuditAction, accountId: number | null): AuditEvent {
  return {
    occurredAt: new Date().toISOString(),
    actor: 'system',
    accountId,
    apiKeyId: null,
    action,
    requestId: null,
    address: null,
  };
}
