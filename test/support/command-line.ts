// Commands on one data directory, and what each of their failures must look like.

import { expect } from 'vitest';
import { QUICK_START } from './program.ts';
import { type CommandOutcome, runCommand } from './server-process.ts';

/** What docs/command-line.md promises to scripts. */
export const EXIT_CODES = { usage: 2, configuration: 3, refused: 4, storage: 5, rootKey: 6, trail: 9 } as const;

export interface CommandLine {
  run(...args: string[]): Promise<CommandOutcome>;
  /** The text that a successful command printed. */
  text(...args: string[]): Promise<string>;
  /** The document that a successful command printed with `--json`. */
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of a result.
  json(...args: string[]): Promise<any>;
  /** The documents that a successful command printed with `--json`, one a line. */
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of a result.
  lines(...args: string[]): Promise<any[]>;
  /** The one sentence of a command that fails with that exit code, and prints no result. */
  failure(exitCode: number, ...args: string[]): Promise<string>;
}

export function commandLine(dataDirectory: string, environment: Record<string, string> = {}): CommandLine {
  const run = (...args: string[]) =>
    runCommand(args, { ...QUICK_START, SECRET_MANAGER_DATA_DIR: dataDirectory, ...environment });

  async function text(...args: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await run(...args);
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/\n$/);
    return stdout.trimEnd();
  }

  return {
    run,
    text,
    json: async (...args) => JSON.parse(await text(...args, '--json')),
    lines: async (...args) => (await text(...args, '--json')).split('\n').map((line) => JSON.parse(line)),

    async failure(exitCode, ...args) {
      const outcome = await run(...args);
      expect(outcome.exitCode, outcome.stderr).toBe(exitCode);
      expect(outcome.stdout).toBe('');
      expect(outcome.stderr).toMatch(/^[^\n]+\.\n$/);
      return outcome.stderr.trimEnd();
    },
  };
}
