// The file head: two slots, of which a torn write leaves one; never the newer one is overwritten.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { SealedAuditHead } from '../../src/domain/audit-events.ts';
import { type HeadFile, openHeadFile, readHeadFile } from '../../src/files/head-file.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

function headOf(eventId: number): SealedAuditHead {
  return { eventId, hash: String(eventId % 10).repeat(64), mac: 'f'.repeat(64) };
}

function scene(): { head: HeadFile; path: string; directory: string; failures: unknown[] } {
  const directory = temporaryDirectory();
  const failures: unknown[] = [];
  const head = openHeadFile(directory, (error) => failures.push(error));
  head.create(headOf(0));
  return { head, path: join(directory, 'head'), directory, failures };
}

function idsIn(head: HeadFile): number[] {
  return head.read().map(({ eventId }) => eventId);
}

describe('the file head', () => {
  test('holds the two heads that were written last, newest first', () => {
    const { head } = scene();
    expect(head.read()).toEqual([headOf(0), headOf(0)]);
    for (const eventId of [2, 3, 17]) head.write(headOf(eventId));
    expect(head.read()).toEqual([headOf(17), headOf(3)]);
  });

  test('is two slots of 512 bytes that can be read by a person', () => {
    const { head, path } = scene();
    head.write(headOf(4_711));
    const text = readFileSync(path, 'latin1');
    expect(text).toHaveLength(1_024);
    expect(text).toContain(`secret-manager head 1 4711 ${'1'.repeat(64)} ${'f'.repeat(64)}\n`);
  });

  test('is read again by whoever opens it next', async () => {
    const { head, directory } = scene();
    head.write(headOf(5));
    await head.close();
    expect(idsIn(openHeadFile(directory, () => undefined))).toEqual([5, 0]);
  });

  test.each([0, 512])(
    'that was torn in the slot at %i keeps the other one, and is whole after the next writes',
    (at) => {
      const { head, path } = scene();
      head.write(headOf(5));
      head.write(headOf(6));
      const bytes = readFileSync(path);
      bytes.fill(0, at + 60, at + 512);
      writeFileSync(path, bytes);
      expect(idsIn(head)).toEqual([at === 0 ? 6 : 5]);
      head.write(headOf(7));
      expect(idsIn(head)).toEqual([7, at === 0 ? 6 : 5]);
    },
  );

  test('written by two processes never loses the newest head to an older one', () => {
    const { head, directory } = scene();
    const other = openHeadFile(directory, () => undefined);
    head.write(headOf(1));
    other.write(headOf(3));
    head.write(headOf(2));
    expect(idsIn(head)[0]).toBe(3);
    head.write(headOf(4));
    expect(idsIn(other)).toEqual([4, 3]);
  });

  test('that is a directory cannot be read, which is said in one sentence', () => {
    const { path, directory } = scene();
    rmSync(path);
    mkdirSync(path);
    for (const read of [() => openHeadFile(directory, () => undefined).read(), () => readHeadFile(directory)]) {
      expect(read).toThrow(`The file ${path} cannot be read (EISDIR); check owner, mode and mount.`);
    }
  });

  test('that is gone or empty has no heads, and tells of the write that failed', () => {
    const { head, path, directory, failures } = scene();
    writeFileSync(path, '');
    expect(head.read()).toEqual([]);
    rmSync(path);
    const late = openHeadFile(directory, (error) => failures.push(error));
    expect(late.read()).toEqual([]);
    late.write(headOf(1));
    expect(failures).toMatchObject([{ code: 'ENOENT' }]);
  });
});
