// Runs one administrative command: opens the store, does it, prints the result, closes.

import { type Administration, composeAdministration } from '../compose.ts';
import { readConfig } from '../config.ts';
import { type CommandResult, printResult } from './output.ts';

export async function administer(
  options: { readonly json?: boolean },
  work: (administration: Administration) => Promise<CommandResult>,
): Promise<void> {
  await withStore({}, async (administration) => printResult(await work(administration), options.json === true));
}

/** The same for a command that prints by itself. */
export async function withStore(
  options: Parameters<typeof composeAdministration>[1],
  work: (administration: Administration) => Promise<void>,
): Promise<void> {
  const administration = await composeAdministration(readConfig(), options);
  try {
    await work(administration);
  } finally {
    await administration.close();
  }
}
