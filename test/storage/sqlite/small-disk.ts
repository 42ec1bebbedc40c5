// A file system of its own for a test: small enough to fill, and able to become read-only.

import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, rmdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { freshDirectory } from './store-directories.ts';

export interface SmallDisk {
  readonly directory: string;
  /** Leaves at most this many bytes free, by one file beside the others. */
  fill(leaveBytes: number): void;
  /** Removes that file. */
  empty(): void;
  setReadOnly(): void;
  unmount(): void;
}

/** On CI these tests must run, so there a refused mount is a failure; elsewhere they are skipped with a word. */
export function canMountDisks(): boolean {
  const disk = mountSmallDisk(64);
  disk?.unmount();
  if (disk !== undefined) return true;
  if (process.env['CI'] !== undefined)
    throw new Error('CI must be allowed to mount a tmpfs for the tests of full disks');
  process.stderr.write('Skipped: tests of full and read-only disks, since this user may not mount a tmpfs.\n');
  return false;
}

/** Undefined where this user may not mount. */
export function mountSmallDisk(sizeKiB: number): SmallDisk | undefined {
  const directory = join(freshDirectory(), 'disk');
  mkdirSync(directory, { mode: 0o700 });
  try {
    mount('-t', 'tmpfs', '-o', `size=${sizeKiB}k,mode=700`, 'tmpfs', directory);
  } catch {
    rmdirSync(directory);
    return undefined;
  }
  const filler = join(directory, 'filler');
  return {
    directory,
    fill(leaveBytes) {
      appendFileSync(filler, Buffer.alloc(Math.max(0, freeBytes(directory) - leaveBytes)));
    },
    empty: () => rmSync(filler, { force: true }),
    setReadOnly: () => mount('-o', 'remount,ro', directory),
    unmount: () => void execFileSync('umount', ['--lazy', directory], { stdio: 'pipe' }),
  };
}

function mount(...args: string[]): void {
  execFileSync('mount', args, { stdio: 'pipe' });
}

function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}
