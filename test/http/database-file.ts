// A second connection to a test server's database, as an operator, an auditor or an intruder would have one.

import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { TestServer } from '../support/test-server.ts';

export interface AuditRow {
  readonly id: number;
  readonly occurred_at: string;
  readonly actor: string;
  readonly account_id: number | null;
  readonly api_key_id: number | null;
  readonly action: string;
  readonly target_kind: string | null;
  readonly target_id: number | null;
  readonly target_parent_id: number | null;
  readonly outcome: string;
  readonly reason: string | null;
  readonly request_id: string | null;
  readonly address: string | null;
  readonly occurrences: number;
}

/** Runs one statement and returns its rows; nothing stays open. */
export function query<Row>({ config }: TestServer, sql: string, ...parameters: unknown[]): Row[] {
  const connection = new Database(join(config.dataDirectory, 'secret-manager.db'), { fileMustExist: true });
  try {
    const statement = connection.prepare<unknown[], Row>(sql);
    if (statement.reader) return statement.all(...parameters);
    statement.run(...parameters);
    return [];
  } finally {
    connection.close();
  }
}

const COLUMNS = `id, occurred_at, actor, account_id, api_key_id, action, target_kind, target_id, target_parent_id, outcome,
  reason, request_id, address, occurrences`;

/** In the order they were written, without hashes and MACs. */
export function readAuditRows(server: TestServer): AuditRow[] {
  return query<AuditRow>(server, `SELECT ${COLUMNS} FROM audit_events ORDER BY id`);
}

export function findAuditRows(server: TestServer, requestId: unknown): AuditRow[] {
  return query<AuditRow>(server, `SELECT ${COLUMNS} FROM audit_events WHERE request_id = ? ORDER BY id`, requestId);
}
