// The audit trail on the wire.

import { type Static, Type } from '@sinclair/typebox';
import type { ValueUsage } from '../../domain/audit-events.ts';
import { AUDIT_TARGET_KINDS } from '../../domain/audit-query.ts';
import { Id, Time } from './atoms.ts';

const TIME = '2026-11-23T08:15:30Z';
const Filter = (description: string, example: string) =>
  Type.Optional(Type.String({ description, examples: [example] }));
const OptionalId = Type.Union([Id, Type.Null()], { examples: [7, null] });
const OptionalText = (example: string) => Type.Union([Type.String(), Type.Null()], { examples: [example, null] });
const Action = Type.String({ description: 'What was done or asked for.', examples: ['value.read'] });

/** All text: what each may be is the domain's to say. */
export const AuditQueryString = Type.Object({
  from: Filter('RFC 3339; only events at this time or later.', TIME),
  to: Filter('RFC 3339; only events before this time.', TIME),
  key_id: Filter('Only what this API key asked for.', '3'),
  action: Filter('Only this action.', 'value.read'),
  target_kind: Filter(`One of ${AUDIT_TARGET_KINDS.join(', ')}.`, 'value'),
  target_id: Filter('Only what concerns this thing; with `target_kind`.', '12'),
  outcome: Filter('`success` or `refused`.', 'refused'),
  limit: Filter('How many events at most: 1 to 1000, 100 when absent.', '100'),
  cursor: Filter('The `next_cursor` of the answer before.', '4711'),
});

export const AuditAnswer = Type.Object({
  events: Type.Array(
    Type.Object({
      id: Id,
      occurred_at: Time,
      actor: Type.String({ examples: ['api-key'] }),
      account_id: OptionalId,
      key_id: OptionalId,
      action: Action,
      target_kind: OptionalText('value'),
      target_id: OptionalId,
      target_parent_id: Type.Union([Id, Type.Null()], { description: 'The list of a value.', examples: [7, null] }),
      outcome: Type.String({ examples: ['success'] }),
      reason: Type.Union([Type.String(), Type.Null()], {
        description: 'Why it was refused.',
        examples: [null, 'value_not_found'],
      }),
      request_id: OptionalText('0bb8e8a2-2b1f-4a3a-8f10-7b60d4d3b7d1'),
      address: OptionalText('192.0.2.7'),
      occurrences: Type.Integer({
        description: 'More than 1 when like refusals were written as one event.',
        examples: [1],
      }),
    }),
    { description: 'Newest first.' },
  ),
  next_cursor: Type.Union([Type.String(), Type.Null()], {
    description: 'Send it as `cursor` for older events; null at the end. There can be more though this page has few.',
    examples: ['4711', null],
  }),
});

export const UsageAnswer = Type.Object({
  last_read_at: Type.Union([Time, Type.Null()], {
    description: 'null when it has not been read since the audit trail begins.',
    examples: [TIME, null],
  }),
  last_read_by: Type.Union([Id, Type.Null()], {
    description: 'The id of the API key; null for a machine that fetched its seed.',
    examples: [3, null],
  }),
  last_read_action: OptionalText('value.read'),
});

export function usageAnswer(usage: ValueUsage | undefined): Static<typeof UsageAnswer> {
  return {
    last_read_at: usage?.lastReadAt ?? null,
    last_read_by: usage?.apiKeyId ?? null,
    last_read_action: usage?.action ?? null,
  };
}
