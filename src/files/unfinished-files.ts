// Files that are being written: each under a name that says so and that no other run uses. What an interrupted run
// left behind is removed by the next one in the same directory.

import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

const UNFINISHED = /\.secret-manager-unfinished-(\d+)-[0-9a-f]{8}(-journal)?$/;

/** Makes an empty file of mode 0600 beside `path` and returns its name. */
export function createUnfinishedFile(path: string): string {
  removeLeftovers(dirname(path));
  const unfinished = `${path}.secret-manager-unfinished-${process.pid}-${randomBytes(4).toString('hex')}`;
  closeSync(openSync(unfinished, 'wx', 0o600));
  return unfinished;
}

export function removeUnfinishedFile(unfinished: string): void {
  for (const suffix of ['', '-journal']) rmSync(unfinished + suffix, { force: true });
}

function removeLeftovers(directory: string): void {
  for (const name of readdirSync(directory)) {
    const pid = UNFINISHED.exec(name)?.[1];
    if (pid === undefined || isOtherProcess(Number(pid))) continue;
    try {
      rmSync(join(directory, name));
    } catch {
      // Another user's, or gone already.
    }
  }
}

/** Of this process's own number are only those of an earlier process. */
function isOtherProcess(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
