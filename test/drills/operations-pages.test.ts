// The commands of docs/operations, run as they stand there: on one machine, and on the one that it moves to.

import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { QUICK_START } from '../support/program.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGES = join(ROOT, 'docs/operations');
const SERVICE = /^systemctl (start|stop) secret-manager\n?/m;

/** Stands for `/` in the commands' paths. */
const machine = temporaryDirectory();
const dataDirectory = join(machine, 'var/lib/secret-manager');
const backups = join(machine, 'var/backups/secret-manager');
const bin = join(machine, 'bin');
let server: ServerProcess;

function page(name: string): string {
  return readFileSync(join(PAGES, name), 'utf8');
}

function blocksOf(name: string): { file: string | undefined; text: string }[] {
  return [...page(name).matchAll(/^```sh(?: file=(\S+))?\n(.*?)\n```$/gms)].map(([, file, text = '']) => ({
    file,
    text,
  }));
}

async function startServer(): Promise<void> {
  server = await startServerProcess({ ...QUICK_START, SECRET_MANAGER_DATA_DIR: dataDirectory });
}

async function bash(script: string): Promise<string> {
  const here = script.replaceAll(/\/(var\/(lib|backups)|etc)\/secret-manager/g, (path) => machine + path);
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', here], {
    env: { ...QUICK_START, PATH: `${bin}:${process.env['PATH']}`, SECRET_MANAGER_DATA_DIR: dataDirectory },
  });
  return stdout;
}

/** Runs a block; what it asks of the service manager is done to the server here. */
async function run(block: string): Promise<string> {
  const parts = block.split(SERVICE);
  let output = '';
  for (const [i, part] of parts.entries()) {
    if (i % 2 === 0) output += part === '' ? '' : await bash(part);
    else if (part === 'start') await startServer();
    else expect((await server.stop()).exit).toBe(0);
  }
  return output;
}

async function listNames(): Promise<string[]> {
  const { data } = (await (await server.fetch('/api/secrets/lists')).json()) as { data: { name: string }[] };
  return data.map(({ name }) => name);
}

const createList = (name: string) =>
  server.fetch('/api/secrets/lists', { method: 'POST', body: new URLSearchParams({ name }) });

beforeAll(async () => {
  for (const directory of [backups, bin, join(machine, 'etc/secret-manager')])
    mkdirSync(directory, { recursive: true });
  symlinkSync(join(ROOT, 'bin/secret-manager'), join(bin, 'secret-manager'));
  await startServer();
  await createList('kept');
  cpSync(join(dataDirectory, 'root.key'), join(machine, 'etc/secret-manager/root.key'));
});

describe('the commands of the pages work, one after another', { timeout: 60_000 }, () => {
  test('backup.md: once, every night, and a trial', async () => {
    const [once, nightly, trial] = blocksOf('backup.md');
    expect(await run(once?.text ?? '')).toContain('Backed up to');
    const script = join(bin, nightly?.file?.split('/').at(-1) ?? '');
    const text = (nightly?.text ?? '').replaceAll(/\/var\/(lib|backups)/g, (path) => machine + path);
    writeFileSync(script, text, { mode: 0o700 });
    const old = join(backups, 'old.backup');
    writeFileSync(old, '');
    const fortyDaysAgo = Date.now() / 1000 - 40 * 86_400;
    utimesSync(old, fortyDaysAgo, fortyDaysAgo);
    await bash(script);
    expect(readdirSync(backups)).toEqual([expect.stringMatching(/^20\d\d-.*Z\.backup$/), 'today.backup']);
    expect(page('backup.md')).toContain(`ExecStart=${nightly?.file}\n`);
    expect(page('backup.md')).toContain(`secret-manager ${nightly?.file}\n`);
    const tried = await run(trial?.text ?? '');
    expect(tried).toContain('Restored ');
    expect(tried).not.toContain('WRONG');
  });

  test('restore.md: with the old database moved aside', async () => {
    await createList('later');
    const output = await run(blocksOf('restore.md')[0]?.text ?? '');
    expect(output).toContain('.replaced-');
    expect(output).not.toContain('WRONG');
    expect(await listNames()).toEqual(['kept']);
  });

  test('upgrade.md', async () => {
    for (const { text } of blocksOf('upgrade.md')) expect(await run(text)).not.toContain('WRONG');
    expect(existsSync(join(backups, 'before-upgrade.backup'))).toBe(true);
    expect(await listNames()).toEqual(['kept']);
  });

  test('moving-hosts.md', async () => {
    const [here, there] = blocksOf('moving-hosts.md');
    await run(here?.text ?? '');
    renameSync(dataDirectory, join(machine, 'the old machine'));
    expect(await run(there?.text ?? '')).not.toContain('WRONG');
    expect(await listNames()).toEqual(['kept']);
  });

  test('lost-root-key.md', async () => {
    await run(blocksOf('lost-root-key.md')[0]?.text ?? '');
    expect(await listNames()).toEqual([]);
    expect(existsSync(`${dataDirectory}.sealed/secret-manager.db`)).toBe(true);
    await server.stop();
  });
});

describe('the pages', () => {
  const names = readdirSync(PAGES);

  test('have no other commands than those that are run here', () => {
    const withBlocks = names.filter((name) => blocksOf(name).length > 0);
    expect(withBlocks.map((name) => [name, blocksOf(name).length])).toEqual([
      ['backup.md', 3],
      ['lost-root-key.md', 1],
      ['moving-hosts.md', 2],
      ['restore.md', 1],
      ['upgrade.md', 2],
    ]);
  });

  test('are all in the list of the folder', () => {
    for (const name of names.filter((each) => each !== 'README.md')) expect(page('README.md')).toContain(`](${name})`);
  });

  test.each(names)('%s links to files that exist', (name) => {
    const links = [...page(name).matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)].map(([, path]) => path ?? '');
    expect(links.filter((path) => !existsSync(join(dirname(join(PAGES, name)), path)))).toEqual([]);
  });
});
