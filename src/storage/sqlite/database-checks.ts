// What doctor asks SQLite, beside a running server or without one. Reads alone: a server goes on writing meanwhile.

import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Check, type Finding, fine, formatBytes, wrong } from '../../domain/checks.ts';
import { countBrokenReferences, findDamage } from './checked-copy.ts';
import { refuseUnfinishedReplacement } from './database-replacement.ts';
import { type Connection, inspectDatabase, openReadOnly, withOpeningErrors } from './sqlite-connection.ts';
import { availableMigrations, findPendingMigrations } from './sqlite-migrations.ts';

/** SQLite copies its log into the database at 4 MB; readers that never end make it grow. */
const LARGE_LOG_BYTES = 64 * 1024 * 1024;
const LARGE_DATABASE_BYTES = 512 * 1024 * 1024;
const BUSY_TIMEOUT_MS = 5_000;

/** Opens the database to look at it. Throws OperatorError (`storage`). */
export function openToInspect(path: string): Connection {
  return withOpeningErrors(path, () => {
    inspectDatabase(path, () => undefined);
    return openReadOnly(path, BUSY_TIMEOUT_MS);
  });
}

export function databaseChecks(path: string, open: () => Connection): Check[] {
  const needs = ['database'];
  const look = (work: (connection: Connection) => Finding) => () => withOpeningErrors(path, () => work(open()));
  return [
    {
      name: 'database',
      run() {
        refuseUnfinishedReplacement(dirname(path));
        open();
        return fine(`${path}, ${formatBytes(statSync(path).size)}`);
      },
    },
    { name: 'schema', needs, run: look(checkSchema) },
    {
      name: 'pages',
      needs,
      run(tell) {
        const { size } = statSync(path);
        // SQLite says nothing until it has read all of it.
        if (size > LARGE_DATABASE_BYTES) tell(`reading ${formatBytes(size)}`, true);
        return look(checkPages)();
      },
    },
    { name: 'references', needs, run: look(checkReferences) },
    { name: 'journal', needs, run: look((connection) => checkJournal(connection, path)) },
  ];
}

function checkSchema(connection: Connection): Finding {
  const available = availableMigrations();
  const pending = findPendingMigrations(connection, available);
  if (pending.length > 0) {
    const names = pending.map(({ name }) => name).join(', ');
    return wrong(
      `of an older version, without ${names}; start this version's server, or run "secret-manager migrate".`,
    );
  }
  return fine(available.at(-1)?.name ?? 'empty');
}

function checkPages(connection: Connection): Finding {
  const damage = findDamage(connection);
  return damage.length === 0 ? fine('whole') : wrong(`damaged: ${damage[0]}; restore a backup.`);
}

function checkReferences(connection: Connection): Finding {
  const count = countBrokenReferences(connection);
  return count === 0 ? fine('whole') : wrong(`${count} rows belong to nothing; restore a backup.`);
}

function checkJournal(connection: Connection, path: string): Finding {
  const mode = connection.pragma('journal_mode', { simple: true });
  if (mode !== 'wal') return wrong(`${mode} instead of wal; the next start of the server sets it.`);
  const bytes = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  const text = `wal, ${formatBytes(bytes)}`;
  if (bytes < LARGE_LOG_BYTES) return fine(text);
  return wrong(`${text}; end programs that keep the database open for long, then restart the server.`);
}
