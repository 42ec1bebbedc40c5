// Has a database copied by a process of its own, so that this one still hears signals and can say how far it is.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { OperatorError } from '../../domain/errors.ts';
import { type CopyOrder, type DatabaseSummary, summariseDatabase } from './checked-copy.ts';
import type { CopyOutcome } from './copy-process.ts';

const COPY_PROCESS = join(import.meta.dirname, 'copy-process.ts');
const LOOK_EVERY_MS = 500;

/** Reads a database in short. Throws OperatorError with one sentence when it isn't one of ours. */
export function summariseFile(path: string, name: string): DatabaseSummary {
  try {
    return summariseDatabase(path, name);
  } catch (error) {
    if (!(error instanceof Database.SqliteError)) throw error;
    throw describeFailure(error.code, name, dirname(path));
  }
}

/** Throws OperatorError with one sentence when there is no whole copy; what there is of it stays. */
export async function copyDatabase(order: CopyOrder, onProgress: (bytes: number) => void): Promise<DatabaseSummary> {
  const child = spawn(process.execPath, [...process.execArgv, COPY_PROCESS, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const kill = () => void child.kill('SIGKILL');
  process.prependOnceListener('exit', kill);
  const looking = setInterval(() => onProgress(sizeOf(order.target)), LOOK_EVERY_MS);
  let answer = '';
  child.stdout.on('data', (chunk) => {
    answer += chunk;
  });
  try {
    const [code, signal] = await once(child, 'close');
    if (code !== 0)
      throw new OperatorError('storage', `Copying the database was interrupted (${signal ?? code}); try again.`);
  } finally {
    clearInterval(looking);
    process.removeListener('exit', kill);
  }
  return summaryOf(JSON.parse(answer), order);
}

function summaryOf(outcome: CopyOutcome, { sourceName, target }: CopyOrder): DatabaseSummary {
  if ('summary' in outcome) return outcome.summary;
  if ('refusal' in outcome) throw new OperatorError(outcome.refusal.kind, outcome.refusal.message);
  throw describeFailure(outcome.sqliteCode, sourceName, dirname(target));
}

/** What a failure of SQLite's while copying means for the person. */
function describeFailure(sqliteCode: string, sourceName: string, targetDirectory: string): OperatorError {
  if (sqliteCode === 'SQLITE_FULL') return diskFull(targetDirectory);
  if (sqliteCode === 'SQLITE_NOTADB') {
    return new OperatorError('refused', `${sourceName} is not a database of Secret Manager; name another file.`);
  }
  if (/^SQLITE_(CORRUPT|CONSTRAINT|ERROR)/.test(sqliteCode)) {
    return new OperatorError('refused', `${sourceName} is damaged; use an older backup.`);
  }
  if (/^SQLITE_(CANTOPEN|READONLY)/.test(sqliteCode)) {
    return new OperatorError(
      'storage',
      `${sourceName} cannot be opened; check owner, mode and mount of its directory.`,
    );
  }
  return new OperatorError(
    'storage',
    `${sourceName} could not be copied to ${targetDirectory} (${sqliteCode}); check both disks and try again.`,
  );
}

/** Runs what reads or writes files for a copy; a failure becomes an OperatorError that names the directory. */
export function withFileErrors<T>(directory: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (error instanceof OperatorError || code === '') throw error;
    if (code === 'ENOSPC' || code === 'EDQUOT') throw diskFull(directory);
    const message = `The directory ${directory} cannot be used (${code}); check its owner, mode and mount.`;
    throw new OperatorError('storage', message, { cause: error });
  }
}

function diskFull(directory: string): OperatorError {
  return new OperatorError('storage', `There is no room left in ${directory}; make some and try again.`);
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
