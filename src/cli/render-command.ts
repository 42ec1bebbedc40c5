// secret-manager render

import { type Command, Option } from 'commander';
import type { RenderOptions } from './render-document.ts';

export function renderCommand(program: Command): void {
  program
    .command('render')
    .argument('[file]', 'user-data with references; "-" is standard input', '-')
    .description('put the values of secrets into user-data; asks the server at SECRET_MANAGER_URL')
    .option('-o, --output <file>', 'write there, mode 0600, instead of standard output')
    .option('--check', 'render nothing; list references, problems and warnings')
    .addOption(new Option('--compat', 'plain text substitution, as the hosted service does it').conflicts('check'))
    .option('--json', 'with --check: print JSON')
    .action(async (file: string, options: RenderOptions) => {
      // Loaded when it is needed: a server would keep the parser in memory for nothing.
      const { renderDocument } = await import('./render-document.ts');
      await renderDocument(file, options);
    });
}
