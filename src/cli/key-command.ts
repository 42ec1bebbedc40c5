// secret-manager key create | list | revoke

import { type Command, InvalidArgumentError, Option } from 'commander';
import { type ApiKey, DEFAULT_ACCOUNT_NAME, RIGHTS, type Right } from '../domain/accounts.ts';
import { administer } from './administer.ts';
import { table, visible } from './output.ts';

const DURATION = /^([1-9][0-9]{0,4})(m|h|d)$/;
const MINUTES_OF_UNIT: Readonly<Record<string, number>> = { m: 1, h: 60, d: 1440 };

interface CreateOptions {
  readonly account: string;
  readonly name: string;
  readonly rights: Right;
  readonly expiresIn?: Date;
  readonly json?: boolean;
}

export function keyCommand(program: Command): void {
  const key = program.command('key').description('API keys, each of one account');
  const account = () => new Option('--account <account>', 'its name, or its id').default(DEFAULT_ACCOUNT_NAME);

  key
    .command('create')
    .description('create an API key and print it, this once')
    .addOption(account())
    .option('--name <name>', 'what the key is for', 'unnamed')
    .addOption(new Option('--rights <rights>', '"write" includes reading').choices(RIGHTS).default('write'))
    .option('--expires-in <duration>', 'like 90m, 12h or 30d; never when absent', parseExpiry)
    .option('--json', 'print JSON')
    .action((options: CreateOptions) =>
      administer(options, async ({ accounts, apiKeys }) => {
        const { id: accountId, name: accountName } = await accounts.get(options.account);
        const { apiKey, token } = await apiKeys.create({
          accountId,
          name: options.name,
          rights: options.rights,
          expiresAt: options.expiresIn ?? null,
        });
        const expiry = apiKey.expiresAt === null ? '' : `, until ${apiKey.expiresAt}`;
        const text = `Created key ${apiKey.id} of account "${visible(accountName)}" with the right to ${apiKey.rights}${expiry}. It is shown this once:\n${token}`;
        return { text, data: { ...keyData(apiKey), token } };
      }),
    );

  key
    .command('list')
    .description('list the API keys of an account')
    .addOption(account())
    .option('--json', 'print JSON')
    .action((options: { account: string; json?: boolean }) =>
      administer(options, async ({ accounts, apiKeys }) => {
        const all = await apiKeys.list((await accounts.get(options.account)).id);
        const rows = all.map((each) => [
          String(each.id),
          each.name,
          each.hint === null ? '-' : `${each.hint}…`,
          each.rights,
          each.createdAt,
          each.expiresAt ?? 'never',
          each.revokedAt ?? '-',
        ]);
        const headings = ['ID', 'NAME', 'STARTS WITH', 'RIGHTS', 'CREATED', 'EXPIRES', 'REVOKED'];
        return { text: table(headings, rows), data: all.map(keyData) };
      }),
    );

  key
    .command('revoke')
    .argument('<id>', 'the id that "key list" shows', parseId)
    .description('revoke an API key; a running server refuses it from the next request on')
    .option('--json', 'print JSON')
    .action((id: number, options: { json?: boolean }) =>
      administer(options, async ({ apiKeys }) => {
        const revoked = await apiKeys.revoke(id);
        return { text: `Revoked key ${revoked.id}, "${visible(revoked.name)}".`, data: keyData(revoked) };
      }),
    );
}

function keyData(key: ApiKey) {
  return {
    id: key.id,
    account_id: key.accountId,
    name: key.name,
    hint: key.hint,
    rights: key.rights,
    created_at: key.createdAt,
    expires_at: key.expiresAt,
    revoked_at: key.revokedAt,
  };
}

function parseExpiry(text: string): Date {
  const [, count, unit] = DURATION.exec(text) ?? [];
  const minutes = Number(count) * (MINUTES_OF_UNIT[unit ?? ''] ?? Number.NaN);
  if (Number.isNaN(minutes)) throw new InvalidArgumentError('Give a number and m, h or d, like 90m, 12h or 30d.');
  return new Date(Date.now() + minutes * 60_000);
}

function parseId(text: string): number {
  const id = Number(text);
  if (!/^[1-9][0-9]*$/.test(text) || !Number.isSafeInteger(id))
    throw new InvalidArgumentError('Give the number that "key list" shows.');
  return id;
}
