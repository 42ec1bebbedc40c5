// secret-manager doctor

import type { Command } from 'commander';
import { readConfig } from '../config.ts';
import type { CheckResult } from '../domain/checks.ts';
import { EXIT } from './exit-codes.ts';
import { printResult, table } from './output.ts';
import { createProgress } from './progress.ts';

/** `endWith` sets the exit code of a command that did what it should. */
export function doctorCommand(program: Command, endWith: (exitCode: number) => void): void {
  program
    .command('doctor')
    .description('check data directory, database, root key, and that everything opens; changes nothing')
    .option('--json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      const { examineStore } = await import('../compose-maintenance.ts');
      const results = await examineStore(readConfig(), createProgress());
      const isFine = results.every((result) => result.isFine);
      if (!isFine) endWith(EXIT.findings);
      printResult(
        { text: describe(results), data: { ok: isFine, checks: results.map(checkData) } },
        options.json === true,
      );
    });
}

function describe(results: readonly CheckResult[]): string {
  const rows = results.map(({ name, isFine, text }) => [name, isFine ? 'ok' : 'WRONG', text]);
  return table(['CHECK', 'STATE', 'FOUND'], rows);
}

function checkData({ name, isFine, text }: CheckResult) {
  return { check: name, ok: isFine, found: text };
}
