// secret-manager migrate

import type { Command } from 'commander';
import { migrateStore } from '../compose-storage.ts';
import { readConfig } from '../config.ts';
import { printResult } from './output.ts';

export function migrateCommand(program: Command): void {
  program
    .command('migrate')
    .description('bring the database to this version; "serve" does it by itself')
    .option('--json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      const applied = await migrateStore(readConfig());
      const text = applied.length === 0 ? 'The database is up to date.' : `Applied ${applied.join(', ')}.`;
      printResult({ text, data: { applied } }, options.json === true);
    });
}
