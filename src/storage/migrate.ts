// Which migrations a store still needs. Plain SQL files, forward only; each engine records name and hash of what it
// applied, and a store that doesn't match the files is refused untouched.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../domain/errors.ts';

export interface Migration {
  /** The file's name without `.sql`: four digits, a hyphen, what it does. */
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file, hex. */
  readonly sha256: string;
}

export type AppliedMigration = Pick<Migration, 'name' | 'sha256'>;

const MIGRATION_FILE = /^\d{4}-[a-z0-9-]+\.sql$/;

/** The migrations in a directory, in order. */
export function readMigrations(directory: string): Migration[] {
  return readdirSync(directory)
    .filter((file) => MIGRATION_FILE.test(file))
    .sort()
    .map((file) => {
      const sql = readFileSync(join(directory, file), 'utf8');
      return { name: file.replace(/\.sql$/, ''), sql, sha256: createHash('sha256').update(sql).digest('hex') };
    });
}

/**
 * The migrations that are still to be applied, in order.
 * Throws OperatorError (`storage`) when what was applied isn't a beginning of what is available.
 */
export function pendingMigrations(available: readonly Migration[], applied: readonly AppliedMigration[]): Migration[] {
  applied.forEach((done, index) => {
    const expected = available[index];
    if (expected === undefined) {
      throw new OperatorError(
        'storage',
        `The database has the migration ${done.name}, which this version does not know; run the newer version that wrote it.`,
      );
    }
    if (expected.name !== done.name) {
      throw new OperatorError(
        'storage',
        `The database has the migration ${done.name} where this version has ${expected.name}; run the version that wrote it.`,
      );
    }
    if (expected.sha256 !== done.sha256) {
      throw new OperatorError(
        'storage',
        `The migration ${done.name} is not the one that was applied to the database; restore the original file.`,
      );
    }
  });
  return available.slice(applied.length);
}
