// The file `head` beside the database: where the audit trail ended last. Two slots of 512 bytes, each a line of text; the
// older one is overwritten, so that a torn write leaves the other. Always written after the commit: it can be behind the
// database, never ahead of it.

import { closeSync, existsSync, fdatasync, fdatasyncSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { SealedAuditHead } from '../domain/audit-events.ts';
import { OperatorError } from '../domain/errors.ts';
import { giveToOwnerOf, renameDurably, writePrivateFile } from './durable-files.ts';

const HEAD_FILE = 'head';
const SLOT_BYTES = 512;
const SYNC_AFTER_MS = 1_000;
const SLOT = /^secret-manager head 1 (\d{1,16}) ([0-9a-f]{64}) ([0-9a-f]{64})\n/;

export interface HeadFile {
  /**
   * Those of the slots that are whole, newest first. Whether they are genuine is for the caller to see.
   * Throws OperatorError (`storage`) when it can't be read.
   */
  read(): SealedAuditHead[];
  /** Makes the file anew with this head alone; durable. Throws OperatorError (`storage`) when it can't. */
  create(head: SealedAuditHead): void;
  /** Not durable by itself: reaches the disk a second later, or when the file is closed. */
  write(head: SealedAuditHead): void;
  close(): Promise<void>;
}

/** For those who only look. Throws OperatorError (`storage`) when it can't be read. */
export function readHeadFile(directory: string): SealedAuditHead[] {
  const path = join(directory, HEAD_FILE);
  if (!existsSync(path)) return [];
  return withReadErrors(path, () => {
    const handle = openSync(path, 'r');
    try {
      return newestFirst(readSlots(handle));
    } finally {
      closeSync(handle);
    }
  });
}

export function hasHeadFile(directory: string): boolean {
  return existsSync(join(directory, HEAD_FILE));
}

/** `onFailure` hears of a write or sync that failed; the file is then behind, which is allowed. */
export function openHeadFile(directory: string, onFailure: (error: unknown) => void): HeadFile {
  const path = join(directory, HEAD_FILE);
  let handle: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  let syncing = Promise.resolve();

  function open(): number {
    handle ??= openSync(path, 'r+');
    return handle;
  }

  function sync(): void {
    timer = undefined;
    const synced = handle;
    if (synced === undefined) return;
    syncing = new Promise((resolve) => {
      fdatasync(synced, (error) => {
        if (error !== null) onFailure(error);
        resolve();
      });
    });
  }

  return {
    read() {
      return existsSync(path) ? withReadErrors(path, () => newestFirst(readSlots(open()))) : [];
    },

    create(head) {
      if (handle !== undefined) closeSync(handle);
      handle = undefined;
      try {
        const unfinished = `${path}.new`;
        writePrivateFile(unfinished, slotText(head) + slotText(head));
        giveToOwnerOf(directory, unfinished);
        renameDurably(unfinished, path);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        const message = `The file ${path} cannot be written (${code}); make room, or check owner, mode and mount.`;
        throw new OperatorError('storage', message, { cause: error });
      }
    },

    write(head) {
      try {
        const [first, second] = readSlots(open());
        // Never the newer one, which another process may have written meanwhile.
        const isFirstOlder = (first?.eventId ?? -1) <= (second?.eventId ?? -1);
        writeSync(open(), slotText(head), isFirstOlder ? 0 : SLOT_BYTES);
        timer ??= setTimeout(sync, SYNC_AFTER_MS).unref();
      } catch (error) {
        onFailure(error);
      }
    },

    async close() {
      clearTimeout(timer);
      await syncing;
      if (handle === undefined) return;
      try {
        if (timer !== undefined) fdatasyncSync(handle);
      } catch (error) {
        onFailure(error);
      }
      closeSync(handle);
      handle = undefined;
    },
  };
}

function withReadErrors<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const message = `The file ${path} cannot be read (${code}); check owner, mode and mount.`;
    throw new OperatorError('storage', message, { cause: error });
  }
}

function readSlots(handle: number): (SealedAuditHead | undefined)[] {
  const bytes = Buffer.alloc(2 * SLOT_BYTES);
  readSync(handle, bytes, 0, bytes.length, 0);
  return [parseSlot(bytes.subarray(0, SLOT_BYTES)), parseSlot(bytes.subarray(SLOT_BYTES))];
}

function newestFirst(slots: readonly (SealedAuditHead | undefined)[]): SealedAuditHead[] {
  return slots.filter((slot) => slot !== undefined).sort((a, b) => b.eventId - a.eventId);
}

function slotText({ eventId, hash, mac }: SealedAuditHead): string {
  return `secret-manager head 1 ${eventId} ${hash} ${mac}\n`.padEnd(SLOT_BYTES - 1).concat('\n');
}

function parseSlot(bytes: Buffer): SealedAuditHead | undefined {
  const [, eventId, hash, mac] = SLOT.exec(bytes.toString('latin1')) ?? [];
  if (eventId === undefined || hash === undefined || mac === undefined) return undefined;
  return { eventId: Number(eventId), hash, mac };
}
