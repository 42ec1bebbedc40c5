// secret-manager data-key status | rotate

import type { Command } from 'commander';
import type { Administration } from '../compose.ts';
import { administer } from './administer.ts';
import { table, visible } from './output.ts';

type StoredDataKey = Awaited<ReturnType<Administration['dataKeys']['list']>>[number];

export function dataKeyCommand(program: Command): void {
  const dataKey = program.command('data-key').description('the data keys, which seal what an account keeps');

  dataKey
    .command('status')
    .argument('[account]', 'its name, or its id; all accounts when absent')
    .description('list data keys, and what is sealed under each')
    .option('--json', 'print JSON')
    .action((nameOrId: string | undefined, options: { json?: boolean }) =>
      administer(options, async ({ accounts, dataKeys }) => {
        const account = nameOrId === undefined ? undefined : await accounts.get(nameOrId);
        const all = await dataKeys.list(account?.id);
        const names = new Map((await accounts.list()).map(({ id, name }) => [id, name]));
        const rows = all.map((key) => [
          names.get(key.accountId) ?? '',
          String(key.version),
          key.isCurrent ? 'current' : 'old',
          String(key.values),
          String(key.instances),
          String(key.seals),
          key.rootKeyFingerprint,
          key.createdAt,
        ]);
        const headings = ['ACCOUNT', 'VERSION', 'ROLE', 'VALUES', 'INSTANCES', 'SEALS', 'ROOT KEY', 'SINCE'];
        return { text: table(headings, rows), data: all.map(dataKeyData) };
      }),
    );

  dataKey
    .command('rotate')
    .argument('<account>', 'its name, or its id')
    .description('seal everything of an account again under a new data key; a running server goes on')
    .option('--json', 'print JSON')
    .action((nameOrId: string, options: { json?: boolean }) =>
      administer(options, async ({ accounts, dataKeys }) => {
        const { id, name } = await accounts.get(nameOrId);
        const { version, isNew, resealed, deletedVersions } = await dataKeys.rotate(id);
        const goneOn = isNew
          ? ''
          : ' This went on with a rotation that was begun before; run it again for another key.';
        return {
          text: `Everything of account "${visible(name)}" is sealed under its data key ${version}; ${resealed} records were sealed again.${goneOn}`,
          data: { account_id: id, version, is_new: isNew, resealed, deleted_versions: deletedVersions },
        };
      }),
    );
}

function dataKeyData(key: StoredDataKey) {
  return {
    account_id: key.accountId,
    version: key.version,
    is_current: key.isCurrent,
    values: key.values,
    instances: key.instances,
    seals: key.seals,
    root_key: key.rootKeyFingerprint,
    created_at: key.createdAt,
  };
}
