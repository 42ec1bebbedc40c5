// An ext4 file system of its own for a test, that can give up as a failing disk makes it do: nothing can be written
// from then on, though files are open for writing. A tmpfs refuses to become read-only under a running server.

import { execFileSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const IMAGE_BYTES = 32 * 1024 * 1024;

export interface Ext4Disk {
  readonly directory: string;
  /** From now on it can't be written to. */
  giveUp(): void;
  /** As after a restart of the machine: its journal is replayed. */
  mountAgain(): void;
  unmount(): void;
}

/** On CI these tests must run, so there a refused mount is a failure; elsewhere they are skipped with a word. */
export function canMountExt4(): boolean {
  try {
    mountExt4().unmount();
    return true;
  } catch (error) {
    if (process.env['CI'] !== undefined) {
      throw new Error('CI must be able to make and mount an ext4 file system in a file', { cause: error });
    }
    process.stderr.write('Skipped: the disk that gives up, since this user may not mount an ext4 file system.\n');
    return false;
  }
}

export function mountExt4(): Ext4Disk {
  const base = temporaryDirectory();
  const image = join(base, 'image');
  const directory = join(base, 'disk');
  writeFileSync(image, '');
  truncateSync(image, IMAGE_BYTES);
  mkdirSync(directory);
  run('mkfs.ext4', '-q', '-F', image);
  const mount = () => run('mount', '-o', 'loop', image, directory);
  const unmount = () => run('umount', directory);
  mount();
  return {
    directory,
    giveUp: () => run('mount', '-o', 'remount,abort', directory),
    mountAgain() {
      unmount();
      mount();
    },
    // Whatever failed before, the directory must be removable.
    unmount: () => run('umount', '--lazy', directory),
  };
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: 'pipe' });
}
