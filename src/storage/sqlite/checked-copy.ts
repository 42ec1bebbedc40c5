// Copies a database in one consistent step, while others write to it or not, and checks the copy from end to end.
// Blocks for as long as that takes: to be run in a process of its own.

import { existsSync } from 'node:fs';
import { OperatorError } from '../../domain/errors.ts';
import { type Connection, isOurs, openReadOnly } from './sqlite-connection.ts';
import { availableMigrations, findPendingMigrations } from './sqlite-migrations.ts';

/** A server's writes never keep a reader waiting; a recovery after a crash can. */
const BUSY_TIMEOUT_MS = 10_000;

export interface CopyOrder {
  readonly source: string;
  /** What messages call the source. */
  readonly sourceName: string;
  /** An empty file. */
  readonly target: string;
  /** False for a database in use: what is wrong with it must not keep what is whole of it from being saved. */
  readonly isSourceChecked: boolean;
}

/** What is in a database, as far as it can be told without a key. */
export interface DatabaseSummary {
  readonly accounts: number;
  readonly lists: number;
  readonly values: number;
  /** The root keys that its keys are wrapped with; none before the first start. */
  readonly rootKeyFingerprints: readonly string[];
}

/** Throws OperatorError (`refused`) when source or copy isn't a whole database of ours, SqliteError as SQLite does. */
export function copyChecked({ source, sourceName, target, isSourceChecked }: CopyOrder): DatabaseSummary {
  withReadOnly(source, (connection) => {
    requireOurs(connection, sourceName);
    if (isSourceChecked) requireWhole(connection, sourceName);
    // Whoever gave the order took the file away, and wants no copy any more.
    if (!existsSync(target)) throw new OperatorError('storage', `The file ${target} is gone; try again.`);
    connection.prepare('VACUUM INTO ?').run(target);
  });
  return withReadOnly(target, (connection) => {
    requireOurs(connection, 'The copy');
    requireWhole(connection, 'The copy');
    return summarise(connection);
  });
}

/** Looks at a file that may be anything. Throws like copyChecked, but checks no more than whose it is. */
export function summariseDatabase(path: string, name: string): DatabaseSummary {
  return withReadOnly(path, (connection) => {
    requireOurs(connection, name);
    return summarise(connection);
  });
}

/** What integrity_check says; nothing when all is well. */
export function findDamage(connection: Connection): string[] {
  const rows = connection.prepare<[], string>('PRAGMA integrity_check(10)').pluck().all();
  return rows.filter((row) => row !== 'ok');
}

/** How many rows reference what is not there. */
export function countBrokenReferences(connection: Connection): number {
  return connection.prepare<[], number>('SELECT count(*) FROM pragma_foreign_key_check').pluck().get() ?? 0;
}

/** The root keys that wrap something. */
export function readRootKeyFingerprints(connection: Connection): string[] {
  return connection
    .prepare<[], string>(
      'SELECT root_key_fingerprint FROM system_keys UNION SELECT root_key_fingerprint FROM data_keys ORDER BY 1',
    )
    .pluck()
    .all();
}

function withReadOnly<T>(path: string, work: (connection: Connection) => T): T {
  const connection = openReadOnly(path, BUSY_TIMEOUT_MS);
  try {
    return work(connection);
  } finally {
    connection.close();
  }
}

function requireOurs(connection: Connection, name: string): void {
  if (!isOurs(connection)) {
    throw new OperatorError('refused', `${name} is not a database of Secret Manager; name another file.`);
  }
  findPendingMigrations(connection, availableMigrations());
}

function requireWhole(connection: Connection, name: string): void {
  const [damage] = findDamage(connection);
  if (damage !== undefined) throw new OperatorError('refused', `${name} is damaged; use an older backup.`);
  if (countBrokenReferences(connection) === 0) return;
  throw new OperatorError('refused', `${name} has rows that belong to nothing; use an older backup.`);
}

function summarise(connection: Connection): DatabaseSummary {
  const count = (table: string) => connection.prepare<[], number>(`SELECT count(*) FROM ${table}`).pluck().get() ?? 0;
  return {
    accounts: count('accounts'),
    lists: count('secret_lists'),
    values: count('secret_values'),
    rootKeyFingerprints: readRootKeyFingerprints(connection),
  };
}
