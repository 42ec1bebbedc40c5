// What keeps the source readable and can't be said to the linter: short files, telling names, words on what a file is for.

import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';

const SOURCE = join(import.meta.dirname, '../../src');
const MOST_LINES = 300;
const TELLS_NOTHING = /^(index|utils?|common|helpers?|lib|misc)\.ts$/;

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => ({ file, text: readFileSync(join(SOURCE, file), 'utf8') }));

test('no source file is longer than 300 lines', () => {
  const long = files.filter(({ text }) => text.split('\n').length > MOST_LINES);
  expect(long.map(({ file }) => file)).toEqual([]);
});

test('every source file opens by saying what it is for', () => {
  expect(files.filter(({ text }) => !text.startsWith('// ')).map(({ file }) => file)).toEqual([]);
});

test('file names are unique and tell something', () => {
  // The engines of the storage are twins: each has the same files.
  const names = files.filter(({ file }) => !/storage\/\w+\//.test(file)).map(({ file }) => basename(file));
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  expect(names.filter((name) => TELLS_NOTHING.test(name))).toEqual([]);
});

test('nothing is left to do', () => {
  expect(files.filter(({ text }) => /\b(TODO|FIXME|XXX|HACK)\b/.test(text)).map(({ file }) => file)).toEqual([]);
});
