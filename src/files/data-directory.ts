// The directory that holds database and root key: there, ours alone, and writable, before anything is opened in it.

import { accessSync, chmodSync, constants, mkdirSync, statSync } from 'node:fs';
import { OperatorError } from '../domain/errors.ts';

const OWNER_ONLY = 0o700;

/** Throws OperatorError (`storage`) when the directory can't be made, or can't be written to. */
export function prepareDataDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: OWNER_ONLY });
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    closeToOthers(directory);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new OperatorError(
      'storage',
      `The data directory ${directory} cannot be used (${code}); check its owner, mode and mount, or set SECRET_MANAGER_DATA_DIR.`,
      { cause: error },
    );
  }
}

/** A directory that belongs to somebody else, as a volume in a cluster can, keeps its mode; the files in it are 0600. */
function closeToOthers(directory: string): void {
  const { uid, mode } = statSync(directory);
  if (uid === process.getuid?.() && (mode & 0o777) !== OWNER_ONLY) chmodSync(directory, OWNER_ONLY);
}
