// Which migrations a store still needs, and which stores are refused.

import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Migration, pendingMigrations, readMigrations } from '../../src/storage/migrate.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const SHIPPED = join(import.meta.dirname, '../../migrations');
const base = temporaryDirectory();

function directoryWith(files: Record<string, string>): string {
  const directory = mkdtempSync(join(base, 'migrations-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  return directory;
}

function migration(name: string, sql = `-- ${name}`): Migration {
  return { name, sql, sha256: createHash('sha256').update(sql).digest('hex') };
}

const FIRST = migration('0001-initial');
const SECOND = migration('0002-more');
const THIRD = migration('0003-most');
const AVAILABLE = [FIRST, SECOND, THIRD];

describe('the migrations in a directory', () => {
  test('are read in the order of their numbers, each with its text and hash', () => {
    const directory = directoryWith({ '0010-c.sql': 'C', '0002-b.sql': 'B', '0001-a.sql': 'A\n' });
    expect(readMigrations(directory)).toEqual([
      { name: '0001-a', sql: 'A\n', sha256: createHash('sha256').update('A\n').digest('hex') },
      { name: '0002-b', sql: 'B', sha256: createHash('sha256').update('B').digest('hex') },
      { name: '0010-c', sql: 'C', sha256: createHash('sha256').update('C').digest('hex') },
    ]);
  });

  test('are only files of the right name', () => {
    const strangers = [
      'README.md',
      '0001-a.sql~',
      '.0001-a.sql.swp',
      '1-a.sql',
      '0001-A.sql',
      '0001.sql',
      '0001-a.SQL',
    ];
    const files = Object.fromEntries(strangers.map((name) => [name, 'X']));
    expect(readMigrations(directoryWith(files))).toEqual([]);
    expect(readMigrations(directoryWith({ ...files, '0001-a.sql': 'A' })).map(({ name }) => name)).toEqual(['0001-a']);
  });

  test('differ in their hash when one byte differs, a line end included', () => {
    const [one] = readMigrations(directoryWith({ '0001-a.sql': 'SELECT 1;\n' }));
    const [other] = readMigrations(directoryWith({ '0001-a.sql': 'SELECT 1;\r\n' }));
    expect(one?.sha256).not.toBe(other?.sha256);
  });

  test.each(readdirSync(SHIPPED))('as shipped for %s are numbered from 1 without a gap', (engine) => {
    const names = readMigrations(join(SHIPPED, engine)).map(({ name }) => name);
    expect(names.length).toBeGreaterThan(0);
    expect(names.length).toBe(readdirSync(join(SHIPPED, engine)).length);
    expect(names.map((name) => Number(name.slice(0, 4)))).toEqual(names.map((_, index) => index + 1));
  });
});

describe('the migrations that a store still needs', () => {
  test('are all of them when it has none', () => {
    expect(pendingMigrations(AVAILABLE, [])).toEqual(AVAILABLE);
  });

  test('are the rest, in order, when it has the first ones', () => {
    expect(pendingMigrations(AVAILABLE, [FIRST])).toEqual([SECOND, THIRD]);
    expect(pendingMigrations(AVAILABLE, [FIRST, SECOND])).toEqual([THIRD]);
  });

  test('are none when it has all', () => {
    expect(pendingMigrations(AVAILABLE, AVAILABLE)).toEqual([]);
    expect(pendingMigrations([], [])).toEqual([]);
  });

  test.each([
    ['a newer one', AVAILABLE, [...AVAILABLE, migration('0004-newer')], 'the migration 0004-newer, which this version'],
    ['any where none is known', [], [FIRST], 'the migration 0001-initial, which this version does not know'],
    ['one of another name', AVAILABLE, [FIRST, migration('0002-other')], '0002-other where this version has 0002-more'],
    ['one left out', AVAILABLE, [FIRST, THIRD], '0003-most where this version has 0002-more'],
    ['the first left out', AVAILABLE, [SECOND], '0002-more where this version has 0001-initial'],
    ['a missing file', [FIRST, THIRD], AVAILABLE, '0002-more where this version has 0003-most'],
    ['a changed one', AVAILABLE, [migration('0001-initial', 'changed')], 'The migration 0001-initial is not the one'],
    ['a changed last one', AVAILABLE, [FIRST, SECOND, migration('0003-most', '')], 'The migration 0003-most is not'],
  ])('cannot be told for a store with %s', (_, available, applied, sentence) => {
    expect(() => pendingMigrations(available, applied)).toThrow(
      expect.objectContaining({ name: 'OperatorError', kind: 'storage', message: expect.stringContaining(sentence) }),
    );
  });

  test('are told exactly when what was applied is a beginning of what is available', () => {
    const history = fc.array(fc.constantFrom(...AVAILABLE, migration('0001-initial', 'changed')), { maxLength: 4 });
    fc.assert(
      fc.property(history, history, (available, applied) => {
        const isBeginning = applied.every((done, index) => done === available[index]);
        if (isBeginning) expect([...applied, ...pendingMigrations(available, applied)]).toEqual(available);
        else expect(() => pendingMigrations(available, applied)).toThrow();
      }),
    );
  });
});
