// Brings a SQLite database to this version's schema, one transaction a migration.

import { join } from 'node:path';
import { type AppliedMigration, type Migration, pendingMigrations, readMigrations } from '../migrate.ts';
import type { Connection } from './sqlite-connection.ts';

const MIGRATIONS_DIRECTORY = join(import.meta.dirname, '../../../migrations/sqlite');

/** The migrations of this version, in order. */
export function availableMigrations(): Migration[] {
  return readMigrations(MIGRATIONS_DIRECTORY);
}

/** The migrations that the database still needs. Throws OperatorError (`storage`) when it doesn't match the files. */
export function findPendingMigrations(connection: Connection, available: readonly Migration[]): Migration[] {
  return pendingMigrations(available, readApplied(connection));
}

function readApplied(connection: Connection): AppliedMigration[] {
  const hasTable = connection
    .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'")
    .pluck()
    .get();
  if (hasTable === undefined) return [];
  return connection.prepare<[], AppliedMigration>('SELECT name, sha256 FROM schema_migrations ORDER BY name').all();
}

/** Applies them and returns their names. Each stays or leaves nothing. */
export function applyMigrations(connection: Connection, available: readonly Migration[]): string[] {
  const pending = findPendingMigrations(connection, available);
  for (const migration of pending) {
    connection
      .transaction(() => {
        connection.exec(
          'CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT PRIMARY KEY, sha256 TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT',
        );
        connection.exec(migration.sql);
        connection
          .prepare('INSERT INTO schema_migrations (name, sha256, applied_at) VALUES (?, ?, ?)')
          .run(migration.name, migration.sha256, new Date().toISOString());
      })
      .immediate();
  }
  return pending.map(({ name }) => name);
}
