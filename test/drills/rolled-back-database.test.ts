// A database that lost what it had, by an old copy put back or a lost write-ahead log, isn't served as if nothing had
// happened; an operator can accept it, and the audit trail says so.

import { copyFileSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { commandLine, EXIT_CODES } from '../support/command-line.ts';
import { freePort, PROGRAM, QUICK_START, startProgram, stopProgram, whenReady } from '../support/program.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const DATABASE = 'secret-manager.db';

/** As an operator does who copies the files of a server that is stopped. */
function copyOf(directory: string): string {
  const copy = join(temporaryDirectory(), 'data');
  cpSync(directory, copy, { recursive: true });
  return copy;
}

function newestInHead(directory: string): number {
  const text = readFileSync(join(directory, 'head'), 'latin1');
  return Math.max(...[...text.matchAll(/^secret-manager head 1 (\d+) /gm)].map(([, id]) => Number(id)));
}

async function createLists(server: ServerProcess, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    expect((await server.fetch('/api/secrets/lists', { method: 'POST' })).status).toBe(200);
  }
}

function start(directory: string): Promise<ServerProcess> {
  return startServerProcess({ ...QUICK_START, SECRET_MANAGER_DATA_DIR: directory });
}

/** `base` has the events 1 to 5, `newer` goes on from it to 8. */
let base: string;
let newer: string;
beforeAll(async () => {
  const first = await start(join(temporaryDirectory(), 'data'));
  await createLists(first, 3);
  await first.stop();
  base = copyOf(first.dataDirectory);
  const second = await start(first.dataDirectory);
  await createLists(second, 3);
  await second.stop();
  newer = copyOf(first.dataDirectory);
});

/** The newer directory with the database of the older one. */
function rolledBack(): string {
  const directory = copyOf(newer);
  copyFileSync(join(base, DATABASE), join(directory, DATABASE));
  return directory;
}

async function expectRefused(directory: string, problem: string): Promise<void> {
  const before = readFileSync(join(directory, DATABASE));
  const sentence = await commandLine(directory).failure(EXIT_CODES.storage, 'serve');
  expect(sentence).toContain(problem);
  expect(sentence).toMatch(
    /; put the newest back, or run "secret-manager serve --accept-rollback" to go on without .*\.$/,
  );
  expect(readFileSync(join(directory, DATABASE))).toEqual(before);
}

describe.concurrent('a start is refused', { timeout: 60_000 }, () => {
  test('when an older copy of the database was put back, by the server and by commands that could write', async () => {
    const directory = rolledBack();
    const problem = 'The database ends with audit event 5, but the file head knows event 8';
    await expectRefused(directory, problem);
    expect(await commandLine(directory).failure(EXIT_CODES.storage, 'account', 'create', 'late')).toContain(problem);
  });

  test('when the write-ahead log of a killed server is gone', async () => {
    const directory = copyOf(base);
    const server = await start(directory);
    await createLists(server, 2);
    await server.stop('SIGKILL');
    expect(newestInHead(directory)).toBe(7);
    const whole = copyOf(directory);
    for (const suffix of ['-wal', '-shm']) rmSync(join(directory, DATABASE + suffix));
    await expectRefused(directory, 'The database ends with audit event 5, but the file head knows event 7');

    const again = await start(whole);
    expect((await again.fetch('/api/secrets/lists')).status).toBe(200);
    await again.stop();
  });

  test('when a copy went on by itself, however far', async () => {
    const directory = copyOf(base);
    const server = await start(directory);
    await createLists(server, 5);
    await server.stop();
    copyFileSync(join(newer, 'head'), join(directory, 'head'));
    await expectRefused(directory, 'The database has another audit event 8 than the file head knows');
  });

  test.each(['missing', 'damaged'])('when the file head is %s', async (how) => {
    const directory = copyOf(base);
    if (how === 'missing') rmSync(join(directory, 'head'));
    else writeFileSync(join(directory, 'head'), readFileSync(join(directory, 'head'), 'latin1').replaceAll('a', 'b'));
    await expectRefused(directory, 'The file head in the data directory is missing or damaged');
  });
});

describe.concurrent('a rollback that is accepted', { timeout: 60_000 }, () => {
  async function accept(directory: string): Promise<string> {
    const port = await freePort();
    const command = [...PROGRAM, 'serve', '--accept-rollback'];
    const program = startProgram({ SECRET_MANAGER_DATA_DIR: directory, PORT: String(port) }, { command });
    await whenReady(port, program);
    expect((await stopProgram(program)).exit).toBe(0);
    return program.stdout();
  }

  test('is served, told in the log and by "audit verify", and served without a word from then on', async () => {
    const directory = rolledBack();
    const command = commandLine(directory);
    expect((await command.run('audit', 'verify')).stderr).toBe(
      'Events 6 to 8 at the end are missing: the file head knows of event 8.\n',
    );
    expect(await accept(directory)).toContain('The database ends with audit event 5');
    expect(await command.text('audit', 'verify')).toMatch(
      /^6 audit events are as they were written; the last one is 9, .*\nEvents 6 to 8 went with a store that was rolled back, which event 9 accepts\.$/,
    );
    const server = await start(directory);
    await createLists(server, 1);
    await server.stop();
    expect(newestInHead(directory)).toBe(10);
    const [event] = await command.lines('audit', 'list', '--action', 'audit.accept-rollback');
    expect(event).toMatchObject({ id: 9, actor: 'command-line', target_kind: 'event', target_id: 5 });
  });

  test('makes a missing head anew', async () => {
    const directory = copyOf(base);
    rmSync(join(directory, 'head'));
    await accept(directory);
    expect(newestInHead(directory)).toBe(6);
    expect(await commandLine(directory).text('audit', 'verify')).toContain('6 audit events are as they were written');
  });

  test('is not asked for where nothing is lost: the server says so and serves', async () => {
    const directory = copyOf(base);
    expect(await accept(directory)).toContain('--accept-rollback is not needed');
    expect(newestInHead(directory)).toBe(5);
  });
});

describe('the file head', { timeout: 60_000 }, () => {
  test('knows of what commands write beside a server, and neither disturbs the other', async () => {
    const directory = copyOf(base);
    const server = await start(directory);
    const command = commandLine(directory);
    await createLists(server, 1);
    await Promise.all([command.run('account', 'create', 'one'), createLists(server, 20)]);
    await command.run('account', 'create', 'two');
    const { last_id: lastId } = await command.json('audit', 'verify');
    expect(lastId).toBe(28);
    expect(newestInHead(directory)).toBe(28);
    await server.stop('SIGKILL');
    expect(newestInHead(directory)).toBe(28);
    await (await start(directory)).stop();
  });

  test('may be behind, as after a crash of the machine', async () => {
    const directory = copyOf(newer);
    copyFileSync(join(base, 'head'), join(directory, 'head'));
    const server = await start(directory);
    await createLists(server, 1);
    await server.stop();
    expect(newestInHead(directory)).toBe(9);
    expect(existsSync(join(directory, 'head.new'))).toBe(false);
  });
});
