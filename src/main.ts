// The command line: `serve` when no command is given. Every failure ends with one sentence and an exit code.

import { Command, CommanderError } from 'commander';
import { accountCommand } from './cli/account-command.ts';
import { EXIT, exitCodeOf } from './cli/exit-codes.ts';
import { keyCommand } from './cli/key-command.ts';
import { migrateCommand } from './cli/migrate-command.ts';
import { printNotice, visibleLines } from './cli/output.ts';
import { serveCommand } from './cli/serve-command.ts';
import { VERSION } from './compose.ts';
import { ApiError, OperatorError } from './domain/errors.ts';

// Whatever is created, now or by a library, is for this user alone.
process.umask(0o077);

const program = new Command('secret-manager')
  .description('A self-hosted secret manager for people who provision machines.')
  .version(VERSION)
  .configureOutput({ outputError: (text) => printNotice(visibleLines(text.trimEnd())) })
  .exitOverride();
serveCommand(program);
accountCommand(program);
keyCommand(program);
migrateCommand(program);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error);
}

function reportFailure(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof OperatorError) {
    printNotice(visibleLines(error.message));
    return exitCodeOf(error.kind);
  }
  if (error instanceof ApiError) {
    printNotice(error.message);
    return EXIT.storage;
  }
  printNotice(`Something unexpected went wrong: ${error instanceof Error ? error.stack : 'unknown'}`);
  return EXIT.failure;
}
