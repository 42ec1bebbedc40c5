// What doctor looks at without opening a file: the data directory, who may read what is in it, and room on its disk.

import { readdirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Check, type Finding, fine, formatBytes, wrong } from '../domain/checks.ts';
import { OperatorError } from '../domain/errors.ts';

const OTHERS = 0o077;
const STRANGERS = 0o007;
const LEAST_FREE_SHARE = 0.1;
/** A migration, a backup or a log that grows can take as much as the database again. */
const LEAST_FREE_DATABASES = 2;
const OURS = /^(secret-manager\.db|\w+\.lock|root\.key|(head(\.new)?|reserve)$)/;

export function dataDirectoryChecks(directory: string): Check[] {
  const needs = ['data directory'];
  return [
    { name: 'data directory', run: () => checkDirectory(directory) },
    { name: 'files', needs, run: () => checkFiles(directory) },
    { name: 'free disk', needs, run: () => checkFreeDisk(directory) },
  ];
}

function checkDirectory(directory: string): Finding {
  const stats = statOf(directory);
  if (!stats.isDirectory()) return wrong(`${directory} is not a directory; check SECRET_MANAGER_DATA_DIR.`);
  return fine(`${directory}, mode ${(stats.mode & 0o777).toString(8)}, owner ${stats.uid}`);
}

function checkFiles(directory: string): Finding {
  const { uid: directoryOwner, mode } = statOf(directory);
  const isOwn = directoryOwner === process.getuid?.();
  if ((mode & (isOwn ? OTHERS : STRANGERS)) !== 0) {
    return wrong(`${directory} is open to other users; run "chmod 700 ${directory}".`);
  }
  const files = listOurs(directory);
  const open = files.filter(({ mode }) => (mode & OTHERS) !== 0);
  if (open.length > 0) return wrong(`open to other users: ${namesOf(open)}; run "chmod 600" on them.`);
  const uid = process.getuid?.() ?? 0;
  const owner = uid === 0 ? (files.find(({ name }) => name === 'secret-manager.db')?.uid ?? uid) : uid;
  const foreign = files.filter((file) => file.uid !== owner);
  if (foreign.length > 0)
    return wrong(`not owned by user ${owner}: ${namesOf(foreign)}; run "chown ${owner}" on them.`);
  return fine(`${files.length} of mode 600, owner ${owner}`);
}

function checkFreeDisk(directory: string): Finding {
  const { bavail, bsize, blocks } = statfsSync(directory);
  const free = bavail * bsize;
  const databaseBytes = listOurs(directory).find(({ name }) => name === 'secret-manager.db')?.size ?? 0;
  const text = `${formatBytes(free)} free of ${formatBytes(blocks * bsize)}`;
  if (bavail < blocks * LEAST_FREE_SHARE) return wrong(`${text}, less than a tenth; make room.`);
  if (free < databaseBytes * LEAST_FREE_DATABASES) {
    return wrong(`${text}, less than twice the database of ${formatBytes(databaseBytes)}; make room.`);
  }
  return fine(text);
}

function listOurs(directory: string) {
  return readdirSync(directory)
    .filter((name) => OURS.test(name))
    .flatMap((name) => {
      // The log goes when the last one who uses it does.
      const stats = statSync(join(directory, name), { throwIfNoEntry: false });
      return stats === undefined ? [] : [{ name, mode: stats.mode, uid: stats.uid, size: stats.size }];
    });
}

function statOf(directory: string) {
  try {
    readdirSync(directory);
    return statSync(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new OperatorError(
      'storage',
      `${directory} cannot be read (${code}); check SECRET_MANAGER_DATA_DIR, its owner and its mount.`,
    );
  }
}

function namesOf(files: readonly { readonly name: string }[]): string {
  return files.map(({ name }) => name).join(', ');
}
