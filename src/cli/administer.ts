// Runs one administrative command: opens the store, does it, prints the result, closes.

import { type Administration, composeAdministration } from '../compose.ts';
import { readConfig } from '../config.ts';
import { type CommandResult, printResult } from './output.ts';

export async function administer(
  options: { readonly json?: boolean },
  work: (administration: Administration) => Promise<CommandResult>,
): Promise<void> {
  const administration = await composeAdministration(readConfig());
  try {
    printResult(await work(administration), options.json === true);
  } finally {
    await administration.close();
  }
}
