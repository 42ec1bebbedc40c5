// Files that survive a power cut: content and name are on the disk before a function returns.
// Never used on a database that is open: opening one here would drop SQLite's locks.

import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

const NO_LINKS_HERE: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** Writes a file of mode 0600 that nobody had open before; an older one is removed first. */
export function writePrivateFile(path: string, text: string): void {
  rmSync(path, { force: true });
  withHandle(openSync(path, 'wx', 0o600), (handle) => {
    writeSync(handle, text);
    fsyncSync(handle);
  });
  syncDirectory(dirname(path));
}

/** What root writes for another user must stay that user's; anybody else owns what he writes. */
export function giveToOwnerOf(example: string, path: string): void {
  const { uid, gid } = statSync(example);
  if (process.getuid?.() === 0 && uid !== 0) chownSync(path, uid, gid);
}

/** Both names must be in one directory. */
export function renameDurably(from: string, to: string): void {
  renameSync(from, to);
  syncDirectory(dirname(to));
}

/** Gives a whole file its lasting name, in the same directory. False, and nothing happens, when that name is taken. */
export function nameDurably(unfinished: string, path: string): boolean {
  syncFile(unfinished);
  try {
    linkSync(unfinished, path);
  } catch (error) {
    // Not every file system has links; the name is then taken a moment after the look.
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' || existsSync(path)) return false;
    if (!NO_LINKS_HERE.has(code)) throw error;
    renameSync(unfinished, path);
  }
  rmSync(unfinished, { force: true });
  syncDirectory(dirname(path));
  return true;
}

/** Its content is on the disk when this returns. */
export function syncFile(path: string): void {
  withHandle(openSync(path, 'r'), fsyncSync);
}

function syncDirectory(directory: string): void {
  syncFile(directory);
}

function withHandle(handle: number, work: (handle: number) => void): void {
  try {
    work(handle);
  } finally {
    closeSync(handle);
  }
}
