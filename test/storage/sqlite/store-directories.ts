// What the tests of SQLite's files share: directories, stores in them, and the bytes that are on the disk.

import { hash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { AuditEvent } from '../../../src/domain/audit-events.ts';
import { type OpenedSqliteStorage, openSqliteStorage } from '../../../src/storage/sqlite/sqlite-storage.ts';
import { followTrail } from '../../support/audit-trails.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

export const DATABASE_FILE = 'secret-manager.db';

/** Gone when the test file ends. */
export const freshDirectory = temporaryDirectory;

export function databaseIn(directory: string): string {
  return join(directory, DATABASE_FILE);
}

export function openIn(directory: string, mode: 'migrate' | 'existing' = 'migrate'): OpenedSqliteStorage {
  const opened = openSqliteStorage({ directory, mode, onOutcomeUnknown: () => undefined });
  followTrail(opened.storage);
  return opened;
}

/** A migrated store that is closed again, with some hundred pages in it. */
export async function directoryWithStore(): Promise<string> {
  const directory = freshDirectory();
  const { storage } = openIn(directory);
  const padding = 'x'.repeat(1000);
  await storage.audit.recordRefusals(
    Array.from({ length: 300 }, () => ({ ...someEvent(), reason: padding, target: null, occurrences: 1 })),
  );
  await storage.close();
  return directory;
}

export function someEvent(): AuditEvent {
  return {
    occurredAt: '2026-01-01T00:00:00.000Z',
    actor: 'system',
    accountId: null,
    apiKeyId: null,
    action: 'unknown',
    requestId: null,
    address: null,
  };
}

/** Every file of a directory with its size and hash; nothing may have it open in this process. */
export function contentsOf(directory: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(directory)
      .filter((name) => statSync(join(directory, name)).isFile())
      .sort()
      .map((name) => [name, describeBytes(readFileSync(join(directory, name)))]),
  );
}

/** The same without what a mere look at a database may leave: its shared memory, and a write-ahead log of 0 bytes. */
export function lastingContentsOf(directory: string): Record<string, string> {
  const entries = Object.entries(contentsOf(directory));
  return Object.fromEntries(
    entries.filter(([name, content]) => !name.endsWith('-shm') && !(name.endsWith('-wal') && content.startsWith('0 '))),
  );
}

function describeBytes(bytes: Buffer): string {
  return `${bytes.length} bytes, SHA-256 ${hash('sha256', bytes)}`;
}
