// Room on the disk that is kept for the audit events of reads: a file that is given up when the disk is full, so that
// values can go on being read for a while. It is made anew once there is room again.

import { randomFillSync } from 'node:crypto';
import { closeSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { giveToOwnerOf } from './durable-files.ts';

const RESERVE_FILE = 'reserve';
const RESERVE_BYTES = 8 * 1024 * 1024;
/** Of what is free, at most so large a part is held back: small disks exist. */
const LARGEST_PART = 1 / 8;
const CHUNK_BYTES = 64 * 1024;

export interface ReserveFile {
  /** Keeps the room; false when there is hardly any. */
  hold(): boolean;
  /** Gives the room free; false when there was none to give. */
  release(): boolean;
  /** From the release until there is room for a whole reserve again, which is then made. */
  isReleased(): boolean;
}

/** `onChange` hears when the room is given free and when it is there again. */
export function openReserveFile(directory: string, onChange: (isReleased: boolean) => void): ReserveFile {
  const path = join(directory, RESERVE_FILE);
  let isReleased = false;
  let heldBytes = 0;
  let releasedBytes = 0;

  function freeBytes(): number {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  }

  /** Returns how many bytes are held then. */
  function write(bytes: number): number {
    let handle: number | undefined;
    try {
      handle = openSync(path, 'w', 0o600);
      // Random, since a file system may keep no room for zeros.
      const chunk = randomFillSync(Buffer.alloc(CHUNK_BYTES));
      for (let left = bytes; left > 0; left -= CHUNK_BYTES) writeSync(handle, chunk, 0, Math.min(left, CHUNK_BYTES));
      giveToOwnerOf(directory, path);
      return bytes;
    } catch {
      rmSync(path, { force: true });
      return 0;
    } finally {
      if (handle !== undefined) closeSync(handle);
    }
  }

  /** With as much again beside it: otherwise the next write would need it at once. */
  function restore(): void {
    if (freeBytes() < 2 * releasedBytes) return;
    heldBytes = write(releasedBytes);
    if (heldBytes === 0) return;
    isReleased = false;
    onChange(false);
  }

  return {
    hold() {
      const thereBytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
      const wantedBytes = Math.min(RESERVE_BYTES, Math.floor((freeBytes() + thereBytes) * LARGEST_PART));
      heldBytes = thereBytes >= wantedBytes ? thereBytes : write(wantedBytes);
      return heldBytes > 0;
    },

    release() {
      if (heldBytes === 0) return false;
      // Somebody may have removed it already.
      rmSync(path, { force: true });
      releasedBytes = heldBytes;
      heldBytes = 0;
      isReleased = true;
      onChange(true);
      return true;
    },

    isReleased() {
      if (isReleased) restore();
      return isReleased;
    },
  };
}
