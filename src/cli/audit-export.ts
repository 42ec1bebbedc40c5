// The audit trail as JSON lines: written, and read again to be verified.

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { AuditFilter, ChainedAuditEvent } from '../domain/audit-events.ts';
import { type ChainedAuditRecord, chainedAuditRecord, parseAuditRecord } from '../domain/audit-records.ts';
import { OperatorError } from '../domain/errors.ts';
import { printText } from './output.ts';

/** From the first event at `from` or later to the last one before `to`, with all between: a chain has no holes. */
export async function exportTrail(
  batches: AsyncIterable<readonly ChainedAuditEvent[]>,
  { from = '', to = '9999' }: AuditFilter,
): Promise<void> {
  let hasBegun = false;
  for await (const batch of batches) {
    const lines: string[] = [];
    for (const event of batch) {
      if (event.occurredAt >= to && hasBegun) return await printText(lines.join(''));
      hasBegun ||= event.occurredAt >= from && event.occurredAt < to;
      if (hasBegun) lines.push(`${JSON.stringify(chainedAuditRecord(event))}\n`);
    }
    await printText(lines.join(''));
  }
}

/** Throws OperatorError (`refused`) for a file that isn't an export. */
export async function* readExport(file: string): AsyncGenerator<readonly ChainedAuditEvent[]> {
  let line = 0;
  const input = createReadStream(file);
  try {
    for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      line += 1;
      const record: unknown = JSON.parse(text);
      if (!isRecord(record)) throw notAnExport(file, `line ${line} is no audit event`);
      yield [parseAuditRecord(record)];
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined && !(error instanceof SyntaxError)) throw error;
    throw notAnExport(file, code ?? `line ${line} is no JSON`);
  }
  if (line === 0) throw notAnExport(file, 'it is empty');
}

/** As far as following a chain needs it; anything else that was changed doesn't fit its hash. */
function isRecord(value: unknown): value is ChainedAuditRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { id, occurred_at, hash, commit_mac } = value as { readonly [field in keyof ChainedAuditRecord]?: unknown };
  const areTexts = [hash, commit_mac].every((each) => each === null || typeof each === 'string');
  return Number.isSafeInteger(id) && typeof occurred_at === 'string' && areTexts;
}

function notAnExport(file: string, problem: string): OperatorError {
  return new OperatorError('refused', `${file} cannot be read (${problem}); give what "audit export" wrote.`);
}
