// Looks things up in the audit trail. A search looks at so many events at a time, however few of them fit: nobody waits
// long behind it.

import type { AuditFilter, AuditPage } from '../../domain/audit-events.ts';
import { COLUMNS, type Row, toEvent } from './audit-rows.ts';
import type { Connection } from './sqlite-connection.ts';

/** Events that one search looks at: some ten milliseconds. */
const MAX_LOOKED_AT = 20_000;

const FITS = `(@from IS NULL OR occurred_at >= @from) AND (@to IS NULL OR occurred_at < @to)
  AND (@apiKeyId IS NULL OR api_key_id = @apiKeyId) AND (@action IS NULL OR action = @action)
  AND (@outcome IS NULL OR outcome = @outcome) AND (@targetKind IS NULL OR target_kind = @targetKind)
  AND (@targetId IS NULL OR target_id = @targetId)`;

interface Parameters {
  readonly [name: string]: string | number | null;
}

export function prepareAuditSearch(connection: Connection) {
  const ofAccount = prepareSearch('account_id = @accountId AND id < @beforeId');
  const ofAll = prepareSearch('id < @beforeId');
  function prepareSearch(scope: string) {
    const lookedAt = `SELECT * FROM audit_events WHERE ${scope} ORDER BY id DESC LIMIT ${MAX_LOOKED_AT}`;
    return {
      select: connection.prepare<[Parameters], Row>(
        `SELECT ${COLUMNS} FROM (${lookedAt}) WHERE ${FITS} ORDER BY id DESC LIMIT @limit`,
      ),
      selectEnd: connection.prepare<[Parameters], { lookedAt: number; lowestId: number }>(
        `SELECT count(*) AS lookedAt, min(id) AS lowestId FROM (${lookedAt})`,
      ),
    };
  }

  return {
    search(filter: AuditFilter, limit: number): AuditPage {
      const { accountId = null, beforeId = Number.MAX_SAFE_INTEGER } = filter;
      const { select, selectEnd } = accountId === null ? ofAll : ofAccount;
      const scope = { ...(accountId === null ? {} : { accountId }), beforeId };
      const found = select.all({ ...scope, ...parametersOf(filter), limit: limit + 1 }).map((row) => toEvent(row));
      if (found.length > limit) {
        const events = found.slice(0, limit);
        return { events, nextBeforeId: events.at(-1)?.id ?? null };
      }
      const end = selectEnd.get(scope);
      const isEnd = end === undefined || end.lookedAt < MAX_LOOKED_AT;
      return { events: found, nextBeforeId: isEnd ? null : end.lowestId };
    },
  };
}

function parametersOf(filter: AuditFilter): Parameters {
  const { from, to, apiKeyId, action, outcome, targetKind, targetId } = filter;
  return {
    from: from ?? null,
    to: to ?? null,
    apiKeyId: apiKeyId ?? null,
    action: action ?? null,
    outcome: outcome ?? null,
    targetKind: targetKind ?? null,
    targetId: targetId ?? null,
  };
}
