// Files that survive a power cut: content and name are on the disk before a function returns.
// Never used on a database that is open: opening one here would drop SQLite's locks.

import { chownSync, closeSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

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

function syncDirectory(directory: string): void {
  withHandle(openSync(directory, 'r'), fsyncSync);
}

function withHandle(handle: number, work: (handle: number) => void): void {
  try {
    work(handle);
  } finally {
    closeSync(handle);
  }
}
