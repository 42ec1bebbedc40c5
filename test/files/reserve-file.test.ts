// The reserve: made, given up, and made again.

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openReserveFile } from '../../src/files/reserve-file.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('the reserve is a file of 8 MiB that is given up once, and is there again when there is room', () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'reserve');
  const changes: boolean[] = [];
  const reserve = openReserveFile(directory, (isReleased) => changes.push(isReleased));
  expect(reserve.release()).toBe(false);
  expect(reserve.isReleased()).toBe(false);
  expect(existsSync(path)).toBe(false);

  expect(reserve.hold()).toBe(true);
  expect(statSync(path).size).toBe(8 * 1024 * 1024);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(reserve.isReleased()).toBe(false);

  expect(reserve.release()).toBe(true);
  expect(existsSync(path)).toBe(false);
  expect(reserve.release()).toBe(false);
  expect(reserve.isReleased()).toBe(false);
  expect(statSync(path).size).toBe(8 * 1024 * 1024);
  expect(changes).toEqual([true, false]);
});
