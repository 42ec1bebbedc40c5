// A backup: one file with the whole database as it was at one moment, still sealed, and without the root key.

import { existsSync, realpathSync, statSync } from 'node:fs';
import { dirname, sep } from 'node:path';
import { OperatorError } from '../../domain/errors.ts';
import { nameDurably } from '../../files/durable-files.ts';
import { createUnfinishedFile, removeUnfinishedFile } from '../../files/unfinished-files.ts';
import type { DatabaseSummary } from './checked-copy.ts';
import { copyDatabase, withFileErrors } from './database-copy.ts';
import { databasePath, inspectDatabase, withOpeningErrors } from './sqlite-connection.ts';

export interface Backup extends DatabaseSummary {
  /** Absolute. */
  readonly file: string;
  readonly bytes: number;
}

/**
 * Makes the backup beside a running server or without one; `file` is absolute and has its name only once it is whole,
 * checked and on the disk. Throws OperatorError with one sentence, and then there is no such file.
 */
export async function writeBackup(
  directory: string,
  file: string,
  onProgress: (bytes: number) => void,
): Promise<Backup> {
  const source = databasePath(directory);
  withOpeningErrors(source, () => inspectDatabase(source, () => undefined));
  const parent = dirname(file);
  withFileErrors(parent, () => refuseUnsuitable(directory, file));
  const unfinished = withFileErrors(parent, () => createUnfinishedFile(file));
  const remove = () => removeUnfinishedFile(unfinished);
  process.once('exit', remove);
  try {
    const order = { source, sourceName: `The database ${source}`, target: unfinished, isSourceChecked: false };
    const summary = await copyDatabase(order, onProgress);
    if (summary.rootKeyFingerprints.length === 0) {
      throw new OperatorError('refused', 'The database is empty; there is nothing to back up.');
    }
    const bytes = statSync(unfinished).size;
    if (!withFileErrors(parent, () => nameDurably(unfinished, file))) throw alreadyThere(file);
    return { ...summary, file, bytes };
  } finally {
    process.removeListener('exit', remove);
    remove();
  }
}

function refuseUnsuitable(directory: string, file: string): void {
  const parent = dirname(file);
  if (!statSync(parent, { throwIfNoEntry: false })?.isDirectory()) {
    throw new OperatorError('refused', `There is no directory ${parent}; make it, or name a file in another one.`);
  }
  if (existsSync(file)) throw alreadyThere(file);
  if (`${realpathSync(parent)}${sep}`.startsWith(`${realpathSync(directory)}${sep}`)) {
    throw new OperatorError(
      'refused',
      `${file} is in the data directory, and would be lost with it; name a file elsewhere, best on another machine.`,
    );
  }
}

function alreadyThere(file: string): OperatorError {
  return new OperatorError('refused', `There is a file ${file} already; name one that does not exist.`);
}
