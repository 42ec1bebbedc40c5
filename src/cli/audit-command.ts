// secret-manager audit list | verify | export | prune

import { type Command, InvalidArgumentError } from 'commander';
import { AUDIT_QUERY_FIELDS, type AuditQuery, parseAuditQuery } from '../domain/audit-query.ts';
import { auditRecord } from '../domain/audit-records.ts';
import { OperatorError } from '../domain/errors.ts';
import { administer, withStore } from './administer.ts';
import { exportTrail, readExport } from './audit-export.ts';
import { printLine, printNotice, printResult, table } from './output.ts';

const DAYS = /^([1-9][0-9]{0,4})d$/;
const DAY_MS = 86_400_000;
const PROGRESS_EVERY = 100_000;

type ListOptions = AuditQuery & Readonly<Record<string, string | undefined>> & { account?: string; json?: true };

export function auditCommand(program: Command): void {
  const audit = program.command('audit').description('the audit trail: who did what, and who read what');

  audit
    .command('list')
    .description('list audit events, newest first')
    .option('--account <account>', 'only those of this account: its name, or its id')
    .option('--from <time>', 'like 2026-11-23T08:15:30Z; only events at this time or later')
    .option('--to <time>', 'only events before this time')
    .option('--key-id <id>', 'only what this API key asked for')
    .option('--action <action>', 'like value.read')
    .option('--target-kind <kind>', 'list, value, account, key, instance, event, root-key or data-key')
    .option('--target-id <id>', 'with --target-kind')
    .option('--outcome <outcome>', 'success or refused')
    .option('--limit <count>', '1 to 1000; 100 when absent')
    .option('--json', 'print one JSON document a line')
    .action(list);

  audit
    .command('verify')
    .description('tell whether the trail is as it was written, beside a running server or without one')
    .option('--file <file>', 'verify what "audit export" wrote instead')
    .option('--json', 'print JSON')
    .action(verify);

  audit
    .command('export')
    .description('print the trail with its hashes and MACs, one JSON document a line, oldest first')
    .option('--from <time>', 'like 2026-11-23T08:15:30Z; only events at this time or later')
    .option('--to <time>', 'only events before this time')
    .action(async (options: AuditQuery) => {
      const { filter } = parseOptions(options);
      await withStore({ mayBeRolledBack: true }, ({ audit: trail }) => exportTrail(trail.readAll(), filter));
    });

  audit
    .command('prune')
    .description('delete the oldest audit events for good; what stays can still be verified')
    .requiredOption('--older-than <days>', 'like 400d', parseDays)
    .option('--json', 'print JSON')
    .action((options: { olderThan: number; json?: boolean }) =>
      administer(options, async ({ audit: trail }) => {
        const pruned = await trail.prune(new Date(Date.now() - options.olderThan * DAY_MS), 'command-line');
        return { text: `Deleted ${pruned} audit events.`, data: { pruned } };
      }),
    );
}

async function list(options: ListOptions): Promise<void> {
  const { filter, limit } = parseOptions(options);
  await withStore({ mayBeRolledBack: true }, async ({ accounts, audit }) => {
    const accountId = options.account === undefined ? undefined : (await accounts.get(options.account)).id;
    const records = [];
    let beforeId: number | null | undefined;
    while (beforeId !== null && records.length < limit) {
      const page = await audit.search({ ...filter, accountId, beforeId }, limit - records.length);
      records.push(...page.events.map(auditRecord));
      beforeId = page.nextBeforeId;
    }
    if (options.json === true) for (const record of records) printLine(JSON.stringify(record));
    else printLine(eventTable(records));
  });
}

function eventTable(records: readonly ReturnType<typeof auditRecord>[]): string {
  const rows = records.map((each) => [
    String(each.id),
    each.occurred_at,
    String(each.account_id ?? '-'),
    each.key_id === null ? each.actor : `key ${each.key_id}`,
    each.action,
    each.target_kind === null ? '-' : `${each.target_kind} ${each.target_id}`,
    `${each.reason ?? each.outcome}${each.occurrences > 1 ? ` × ${each.occurrences}` : ''}`,
    each.address ?? '-',
  ]);
  return table(['ID', 'TIME', 'ACCOUNT', 'WHO', 'ACTION', 'TARGET', 'OUTCOME', 'ADDRESS'], rows);
}

async function verify(options: { readonly file?: string; readonly json?: boolean }): Promise<void> {
  await withStore({ mayBeRolledBack: true }, async ({ audit }) => {
    const { file } = options;
    const verification =
      file === undefined ? await audit.verify(createProgress()) : await audit.verifyPart(readExport(file));
    const { events, end, findings, notices } = verification;
    if (findings.length > 0) throw new OperatorError('trail', [...notices, ...findings].join('\n'));
    const text = [
      `${events} audit events are as they were written; the last one is ${end.eventId}, its hash ${end.hash}.`,
      ...notices,
    ].join('\n');
    const data = { events, last_id: end.eventId, last_hash: end.hash, notices };
    printResult({ text, data }, options.json === true);
  });
}

function createProgress(): (events: number) => void {
  let told = 0;
  return (events) => {
    if (events - told < PROGRESS_EVERY) return;
    told = events;
    printNotice(`${events} audit events …`);
  };
}

/** Throws OperatorError (`usage`) with what is wrong with each option. */
function parseOptions(options: AuditQuery & Readonly<Record<string, unknown>>) {
  const given = AUDIT_QUERY_FIELDS.map((field) => [field, options[optionName(field)]] as const);
  const { filter, limit, problems } = parseAuditQuery(Object.fromEntries(given) as AuditQuery);
  const sentences = Object.entries(problems).map(([field, [problem]]) => `--${field.replace('_', '-')}: ${problem}`);
  if (sentences.length > 0) throw new OperatorError('usage', sentences.join('\n'));
  return { filter, limit };
}

/** As commander has it: keyId for --key-id. */
function optionName(field: string): string {
  return field.replace(/_([a-z])/, (_, letter: string) => letter.toUpperCase());
}

function parseDays(text: string): number {
  const days = Number(DAYS.exec(text)?.[1]);
  if (Number.isNaN(days)) throw new InvalidArgumentError('Give a number of days, like 400d.');
  return days;
}
