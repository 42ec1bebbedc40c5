// The command line as a whole: what it explains, what it refuses, and that a command that fails changes nothing.

import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { commandLine, EXIT_CODES } from '../support/command-line.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { startTestServer } from '../support/test-server.ts';

const nowhere = commandLine('/nowhere/at/all');

describe.concurrent('the command line', () => {
  test('explains itself', async () => {
    const help = await nowhere.text('--help');
    for (const command of ['serve', 'account', 'key', 'migrate', 'render', 'backup', 'restore', 'doctor'])
      expect(help).toMatch(new RegExp(`^ +${command}\\b`, 'm'));
  });

  test('explains each option of a command', async () => {
    const help = await nowhere.text('key', 'create', '--help');
    for (const option of ['--account', '--name', '--rights', '--expires-in', '--json']) expect(help).toContain(option);
  });

  test('tells its version', async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));
    expect(await nowhere.text('--version')).toBe(version);
  });

  test.each([
    ['an unknown command', ['frobnicate']],
    ['an unknown option of a command', ['key', 'list', '--frobnicate']],
    ['a missing argument', ['account', 'create']],
    ['a right that there is not', ['key', 'create', '--rights', 'admin']],
    ['a duration without a unit', ['key', 'create', '--expires-in', '30']],
    ['a key that is no number', ['key', 'revoke', 'first']],
  ])('refuses %s with one sentence', async (_what, args) => {
    const { exitCode, stdout, stderr } = await nowhere.run(...args);
    expect(exitCode).toBe(EXIT_CODES.usage);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^error: [^\n]+\n$/);
  });
});

describe.concurrent('a command without its data', () => {
  test.each([
    [['account', 'list']],
    [['account', 'delete', 'default', '--yes']],
    [['key', 'create', '--json']],
    [['key', 'revoke', '1']],
  ])('%s creates nothing', async (args) => {
    const directory = join(temporaryDirectory(), 'missing');
    expect(await commandLine(directory).failure(EXIT_CODES.storage, ...args)).toContain(directory);
    expect(existsSync(directory)).toBe(false);
  });

  test('on a database that no server has initialised says so', async () => {
    const cli = commandLine(join(temporaryDirectory(), 'new'));
    const migrations = readdirSync(join(import.meta.dirname, '../../migrations/sqlite'));
    expect(await cli.json('migrate')).toEqual({ applied: migrations.map((file) => file.replace('.sql', '')).sort() });
    expect(await cli.text('migrate')).toBe('The database is up to date.');
    expect(await cli.failure(EXIT_CODES.storage, 'account', 'list')).toContain('serve');
  });

  test('on a file that is no database leaves it as it is', async () => {
    const directory = temporaryDirectory();
    const file = join(directory, 'secret-manager.db');
    writeFileSync(file, 'not a database, but precious');
    await commandLine(directory).failure(EXIT_CODES.storage, 'key', 'list');
    expect(readFileSync(file, 'utf8')).toBe('not a database, but precious');
  });
});

describe.concurrent('a command with its data', () => {
  let directory: string;
  beforeAll(async () => {
    const prepared = await startTestServer();
    await prepared.close();
    directory = prepared.config.dataDirectory;
  });

  test('but another root key is refused', async () => {
    const cli = commandLine(directory, { SECRET_MANAGER_ROOT_KEY: Buffer.alloc(32, 5).toString('base64') });
    expect(await cli.failure(EXIT_CODES.rootKey, 'key', 'create')).toContain('fingerprint');
  });

  test('but a root key that is missing is refused, and none is made', async () => {
    const copy = join(temporaryDirectory(), 'copy');
    cpSync(directory, copy, { recursive: true, filter: (path) => !path.endsWith('root.key') });
    expect(await commandLine(copy).failure(EXIT_CODES.rootKey, 'account', 'list')).toContain('root.key');
    expect(existsSync(join(copy, 'root.key'))).toBe(false);
  });

  test('but a wrong configuration is refused', async () => {
    const cli = commandLine(directory, { LOG_LEVEL: 'loud' });
    expect(await cli.failure(EXIT_CODES.configuration, 'account', 'list')).toMatch(/^LOG_LEVEL /);
  });
});
