// secret-manager backup

import type { Command } from 'commander';
import type { Backup } from '../compose-maintenance.ts';
import { readConfig } from '../config.ts';
import { formatBytes } from '../domain/checks.ts';
import { printResult, visible } from './output.ts';
import { createProgress } from './progress.ts';

export function backupCommand(program: Command): void {
  program
    .command('backup')
    .argument('<file>', 'a file that does not exist yet, outside of the data directory')
    .description('write a consistent copy of the database, sealed and without the root key; a server may run')
    .option('--json', 'print JSON')
    .action(async (file: string, options: { json?: boolean }) => {
      // Loaded when it is needed: a server has no use for it.
      const { backUpStore } = await import('../compose-maintenance.ts');
      const backup = await backUpStore(readConfig(), file, createProgress());
      printResult({ text: describe(backup), data: backupData(backup) }, options.json === true);
    });
}

function describe({ file, bytes, accounts, lists, values, rootKeyFingerprints }: Backup): string {
  return [
    `Backed up to ${visible(file)}, ${formatBytes(bytes)}.`,
    `accounts  ${accounts}`,
    `lists     ${lists}`,
    `values    ${values}`,
    `root key  ${rootKeyFingerprints.join(' and ')}, which opens it and is not in it`,
  ].join('\n');
}

function backupData({ file, bytes, accounts, lists, values, rootKeyFingerprints }: Backup) {
  return { file, bytes, accounts, lists, values, root_keys: rootKeyFingerprints };
}
