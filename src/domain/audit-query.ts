// What may be asked of the audit trail, as text from a query string or a command line.

import type { AuditFilter, AuditOutcome, AuditTargetKind } from './audit-events.ts';
import type { FieldProblems } from './errors.ts';

/** `key` would be the API key of the request. */
export const AUDIT_QUERY_FIELDS = [
  'from',
  'to',
  'key_id',
  'action',
  'target_kind',
  'target_id',
  'outcome',
  'limit',
  'cursor',
] as const;
export type AuditQuery = { readonly [field in (typeof AUDIT_QUERY_FIELDS)[number]]?: string | undefined };

export const AUDIT_TARGET_KINDS = [
  'list',
  'value',
  'account',
  'key',
  'instance',
  'event',
  'root-key',
  'data-key',
] as const satisfies readonly AuditTargetKind[];
export const AUDIT_OUTCOMES = ['success', 'refused'] as const satisfies readonly AuditOutcome[];
export const DEFAULT_AUDIT_LIMIT = 100;
export const MAX_AUDIT_LIMIT = 1_000;

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/i;
const NUMBER = /^[1-9][0-9]{0,14}$/;
const ACTION = /^[a-z]+(?:[.-][a-z]+)*$/;

export interface ParsedAuditQuery {
  readonly filter: AuditFilter;
  readonly limit: number;
  /** Empty when all is well. */
  readonly problems: FieldProblems;
}

export function parseAuditQuery(query: AuditQuery): ParsedAuditQuery {
  const problems: FieldProblems = {};

  function accept<T>(field: keyof AuditQuery, parse: (text: string) => T | undefined, problem: string): T | undefined {
    const text = query[field];
    const parsed = text === undefined ? undefined : parse(text);
    if (text !== undefined && parsed === undefined) problems[field] = [problem];
    return parsed;
  }
  const number = (text: string) => (NUMBER.test(text) ? Number(text) : undefined);
  const A_TIME = 'Send a time of RFC 3339, like 2026-11-23T08:15:30Z, percent-encoded.';
  const AN_ID = 'Send an id: digits alone.';

  const filter: AuditFilter = {
    from: accept('from', parseTime, A_TIME),
    to: accept('to', parseTime, A_TIME),
    apiKeyId: accept('key_id', number, AN_ID),
    action: accept('action', (text) => (ACTION.test(text) ? text : undefined), 'Send an action, like value.read.'),
    outcome: accept('outcome', (text) => oneOf(AUDIT_OUTCOMES, text), oneOfSentence(AUDIT_OUTCOMES)),
    targetKind: accept('target_kind', (text) => oneOf(AUDIT_TARGET_KINDS, text), oneOfSentence(AUDIT_TARGET_KINDS)),
    targetId: accept('target_id', number, AN_ID),
    beforeId: accept('cursor', number, 'Send the next_cursor of an earlier answer as it is.'),
  };
  if (query.target_id !== undefined && query.target_kind === undefined) {
    problems['target_kind'] = ['Send target_kind with target_id: ids of different kinds are alike.'];
  }
  const limit = accept('limit', (text) => boundedNumber(number(text)), `Send a number from 1 to ${MAX_AUDIT_LIMIT}.`);
  return { filter, limit: limit ?? DEFAULT_AUDIT_LIMIT, problems };
}

function parseTime(text: string): string | undefined {
  const time = new Date(text);
  return TIME.test(text) && !Number.isNaN(time.getTime()) ? time.toISOString() : undefined;
}

function boundedNumber(number: number | undefined): number | undefined {
  return number !== undefined && number <= MAX_AUDIT_LIMIT ? number : undefined;
}

function oneOf<T extends string>(all: readonly T[], text: string): T | undefined {
  return all.find((each) => each === text);
}

function oneOfSentence(all: readonly string[]): string {
  return `Send one of ${all.join(', ')}.`;
}
