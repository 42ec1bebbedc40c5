// /api/audit, and when a value was read last.

import { parseAuditQuery } from '../../domain/audit-query.ts';
import { auditRecord } from '../../domain/audit-records.ts';
import { invalidFields } from '../../domain/errors.ts';
import { parseReference } from '../../domain/references.ts';
import type { AuditTrailService } from '../../services/audit-trail-service.ts';
import type { App } from '../app-types.ts';
import { callerOf } from '../plugins/authenticate.ts';
import { success, successOf } from '../schemas/answer-envelope.ts';
import { ValuePath } from '../schemas/atoms.ts';
import { AuditAnswer, AuditQueryString, UsageAnswer, usageAnswer } from '../schemas/audit-answers.ts';
import { operation } from './operation.ts';

export function auditRoutes(app: App, audit: AuditTrailService): void {
  app.get(
    '/audit',
    operation('audit.list', 'write', {
      summary: "Search the account's audit trail",
      query: AuditQueryString,
      success: successOf(AuditAnswer),
      failures: [422],
    }),
    async (request) => {
      const { filter, limit, problems } = parseAuditQuery(request.query);
      if (Object.keys(problems).length > 0) throw invalidFields(problems);
      const { accountId } = callerOf(request);
      const { events, nextBeforeId } = await audit.search({ ...filter, accountId }, limit);
      const nextCursor = nextBeforeId === null ? null : String(nextBeforeId);
      return success({ events: events.map(auditRecord), next_cursor: nextCursor });
    },
  );

  app.get(
    '/secrets/lists/:secretList/values/:secretListValue/usage',
    operation('value.usage', 'read', {
      summary: 'Tell when a value was read last, and by which API key',
      params: ValuePath,
      success: successOf(UsageAnswer),
      failures: [404],
    }),
    async (request) => {
      const { secretList, secretListValue } = request.params;
      const caller = callerOf(request);
      const usage = await audit.findUsage(caller, parseReference(secretList), parseReference(secretListValue));
      return success(usageAnswer(usage));
    },
  );
}
