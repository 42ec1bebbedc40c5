// The process that copies a database for database-copy.ts: takes an order as its argument, prints what came of it.

import Database from 'better-sqlite3';
import { OperatorError } from '../../domain/errors.ts';
import { type CopyOrder, copyChecked, type DatabaseSummary } from './checked-copy.ts';

export type CopyOutcome =
  | { readonly summary: DatabaseSummary }
  | { readonly refusal: Pick<OperatorError, 'kind' | 'message'> }
  | { readonly sqliteCode: string };

function carryOut(order: CopyOrder): CopyOutcome {
  try {
    return { summary: copyChecked(order) };
  } catch (error) {
    if (error instanceof OperatorError) return { refusal: { kind: error.kind, message: error.message } };
    if (error instanceof Database.SqliteError) return { sqliteCode: error.code };
    throw error;
  }
}

process.stdout.write(JSON.stringify(carryOut(JSON.parse(process.argv[2] ?? ''))));
