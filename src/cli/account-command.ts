// secret-manager account create | list | delete

import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import type { Administration } from '../compose.ts';
import type { Account } from '../domain/accounts.ts';
import { OperatorError } from '../domain/errors.ts';
import { administer } from './administer.ts';
import { table, visible } from './output.ts';

export function accountCommand(program: Command): void {
  const account = program.command('account').description('accounts, each with lists, values and keys of its own');

  account
    .command('create')
    .argument('<name>', '1 to 100 characters, not digits alone')
    .description('create an account; give it a key with "key create --account NAME"')
    .option('--json', 'print JSON')
    .action((name: string, options: { json?: boolean }) =>
      administer(options, async ({ accounts }) => {
        const created = await accounts.create(name);
        return { text: `Created account ${created.id}, "${visible(created.name)}".`, data: accountData(created) };
      }),
    );

  account
    .command('list')
    .description('list the accounts')
    .option('--json', 'print JSON')
    .action((options: { json?: boolean }) =>
      administer(options, async ({ accounts }) => {
        const all = await accounts.list();
        const rows = all.map(({ id, name, createdAt }) => [String(id), name, createdAt]);
        return { text: table(['ID', 'NAME', 'CREATED'], rows), data: all.map(accountData) };
      }),
    );

  account
    .command('delete')
    .argument('<account>', 'its name, or its id')
    .description('delete an account with its lists, values, keys and instances, for good')
    .option('--yes', 'do not ask')
    .option('--json', 'print JSON')
    .action((nameOrId: string, options: { yes?: boolean; json?: boolean }) =>
      administer(options, async ({ accounts }) => {
        if (options.yes !== true) await confirmDeletion(accounts, nameOrId);
        const deleted = await accounts.delete(nameOrId);
        return { text: `Deleted account ${deleted.id}, "${visible(deleted.name)}".`, data: accountData(deleted) };
      }),
    );
}

function accountData({ id, name, createdAt }: Account) {
  return { id, name, created_at: createdAt };
}

async function confirmDeletion(accounts: Administration['accounts'], nameOrId: string): Promise<void> {
  const { name } = await accounts.get(nameOrId);
  if (!process.stdin.isTTY) {
    throw new OperatorError('refused', 'Deleting an account cannot be undone; add --yes to do it without being asked.');
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await prompt.question(
    `This deletes all secrets and seeds of "${visible(name)}" for good. Type its name to go on: `,
  );
  prompt.close();
  if (answer.trim() !== name) throw new OperatorError('refused', 'The names differ; nothing was deleted.');
}
