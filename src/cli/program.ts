// The command line: `serve` when no command is given. Every failure ends with one sentence and an exit code.

import { Command, CommanderError } from 'commander';
import { VERSION } from '../compose.ts';
import { ApiError, OperatorError } from '../domain/errors.ts';
import { accountCommand } from './account-command.ts';
import { auditCommand } from './audit-command.ts';
import { backupCommand } from './backup-command.ts';
import { dataKeyCommand } from './data-key-command.ts';
import { doctorCommand } from './doctor-command.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { keyCommand } from './key-command.ts';
import { migrateCommand } from './migrate-command.ts';
import { printNotice, visibleLines } from './output.ts';
import { renderCommand } from './render-command.ts';
import { restoreCommand } from './restore-command.ts';
import { rootKeyCommand } from './root-key-command.ts';
import { serveCommand } from './serve-command.ts';

const FAULTS_OF_DISKS: ReadonlySet<string> = new Set(['EIO', 'EROFS', 'ENOSPC', 'EDQUOT']);

/** Runs the command that the arguments name and resolves with the exit code; a server then goes on until a signal. */
export async function runProgram(): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = new Command('secret-manager')
    .description('A self-hosted secret manager for people who provision machines.')
    .version(VERSION)
    .configureOutput({ outputError: (text) => printNotice(visibleLines(text.trimEnd())) })
    .exitOverride();
  serveCommand(program);
  accountCommand(program);
  keyCommand(program);
  rootKeyCommand(program);
  dataKeyCommand(program);
  auditCommand(program);
  migrateCommand(program);
  renderCommand(program);
  backupCommand(program);
  restoreCommand(program);
  doctorCommand(program, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync();
    return exitCode;
  } catch (error) {
    return reportFailure(error);
  }
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
  const { code = '', syscall } = error as NodeJS.ErrnoException;
  if (FAULTS_OF_DISKS.has(code)) {
    printNotice(
      `The disk of the data directory fails (${code} from ${syscall}); see "dmesg", mend or move it, and start again.`,
    );
    return EXIT.storage;
  }
  printNotice(`Something unexpected went wrong: ${error instanceof Error ? error.stack : 'unknown'}`);
  return EXIT.failure;
}
