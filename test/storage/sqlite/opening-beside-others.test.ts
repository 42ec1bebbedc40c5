// A command that is started while another one ends: the other writes its log back, and holds the whole database for that.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { openSqliteStorage } from '../../../src/storage/sqlite/sqlite-storage.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

/** Holds it until a moment after it was told that it does. */
const HOLDER = `
  const Database = require('better-sqlite3');
  const connection = new Database(process.argv[1]);
  connection.pragma('locking_mode = EXCLUSIVE');
  connection.exec('BEGIN EXCLUSIVE');
  console.log('held');
  setTimeout(() => connection.close(), 300);
`;

test('waits for it instead of failing', async () => {
  const directory = temporaryDirectory();
  const open = () => openSqliteStorage({ directory, mode: 'migrate', onOutcomeUnknown: () => undefined }).storage;
  await open().close();
  const holder = spawn(process.execPath, ['-e', HOLDER, `${directory}/secret-manager.db`], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'exit');
  await once(holder.stdout, 'data');
  const storage = open();
  expect(await storage.accounts.list()).toEqual([]);
  await storage.close();
  expect(await ended).toEqual([0, null]);
});
