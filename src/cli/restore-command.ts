// secret-manager restore

import type { Command } from 'commander';
import type { Restored } from '../compose-maintenance.ts';
import { readConfig } from '../config.ts';
import { printResult, visible } from './output.ts';
import { createProgress } from './progress.ts';

export function restoreCommand(program: Command): void {
  program
    .command('restore')
    .argument('<file>', 'what "backup" wrote')
    .description('put a backup into the data directory, while no server runs; needs its root key')
    .option('--replace', 'move a database that is there aside')
    .option('--json', 'print JSON')
    .action(async (file: string, options: { replace?: boolean; json?: boolean }) => {
      const { restoreStore } = await import('../compose-maintenance.ts');
      const config = readConfig();
      const restored = await restoreStore(config, file, {
        isReplacing: options.replace === true,
        tell: createProgress(),
      });
      printResult({ text: describe(restored), data: restoredData(restored) }, options.json === true);
    });
}

function describe({ file, dataDirectory, accounts, lists, values, movedAside }: Restored): string {
  const lines = [
    `Restored ${visible(file)} into ${visible(dataDirectory)}: ${accounts} accounts, ${lists} lists, ${values} values.`,
    ...movedAside.map((path) => `Moved aside: ${visible(path)}`),
    'Start the server; "secret-manager doctor" opens every value to see that it can be read.',
  ];
  return lines.join('\n');
}

function restoredData({ file, dataDirectory, accounts, lists, values, rootKeyFingerprints, movedAside }: Restored) {
  return {
    file,
    data_directory: dataDirectory,
    accounts,
    lists,
    values,
    root_keys: rootKeyFingerprints,
    moved_aside: movedAside,
  };
}
