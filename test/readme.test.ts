// The README's commands, run as they stand there against a server that was started as it says.

import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VARIABLE_NAMES } from '../src/config.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const ROOT = join(import.meta.dirname, '..');
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
const START = 'npm ci && npm start';
/** What .ci/run calls, and so can't be called from a test. */
const CHECKS = 'npm test\nnpm run check';
const PRINTED_KEY = 'smk_the_key_that_the_first_start_printed';

function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)\n\`\`\`$`, 'gms'))].map(([, text]) => text ?? '');
}

const shellBlocks = blocks('sh');
/** What the commands write doesn't land in the checkout. */
const workDirectory = temporaryDirectory();
symlinkSync(join(ROOT, 'bin'), join(workDirectory, 'bin'));
const environment = { ...process.env, PORT: '0', SECRET_MANAGER_DATA_DIR: temporaryDirectory() };
let server: ChildProcessWithoutNullStreams;
let url: string;
let key: string;

beforeAll(async () => {
  server = spawn('npm', ['start'], { cwd: ROOT, env: environment });
  let output = '';
  for (const stream of [server.stdout, server.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  // The line of the log and the notice come by two streams, in any order.
  const hasStarted = () => output.includes('"address":') && output.includes('/api/secrets/lists');
  for (let tries = 0; tries < 1_500 && !hasStarted(); tries += 1) await sleep(10);
  url = /"address":"([^"]+)"/.exec(output)?.[1] ?? '';
  key = /smk_[A-Za-z0-9]+/.exec(output)?.[0] ?? '';
});

afterAll(() => void server.kill('SIGTERM'));

async function run(block: string): Promise<string> {
  const exports = shellBlocks.flatMap((each) => each.split('\n').filter((line) => line.startsWith('export ')));
  const script = [...exports, block].join('\n').replaceAll(PRINTED_KEY, key).replaceAll('http://127.0.0.1:8080', url);
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: workDirectory,
    env: environment,
  });
  return stdout;
}

function answers(stdout: string): unknown[] {
  return [...stdout.matchAll(/\{.*?\}(?=\{|\n|$)/g)].map(([text]) => JSON.parse(text));
}

describe('the README', () => {
  test('starts with the two commands, which print a key', () => {
    expect(shellBlocks[0]).toBe(START);
    expect(url).toMatch(/^http:/);
    expect(key).toMatch(/^smk_/);
  });

  test.each(shellBlocks.filter((block) => block.includes('curl')))('%s', async (block) => {
    const received = answers(await run(block));
    expect(received.length).toBe(block.match(/^curl/gm)?.length);
    for (const answer of received) {
      expect(answer).toSatisfy((each: { code?: number; status?: string }) => each.code === 200 || each.status === 'ok');
    }
  });

  test('shows the answer that the server gives', async () => {
    const shown = JSON.parse(blocks('json')[0] ?? '');
    const [received] = answers(
      await run('curl -H "Authorization: Bearer $KEY" "$API/secrets/lists/production/values/API_KEY"'),
    );
    const { created_at, updated_at } = (received as typeof shown).data;
    expect(received).toEqual({ ...shown, data: { ...shown.data, created_at, updated_at } });
  });

  test.each(shellBlocks.filter((block) => block.includes('key create')))('%s', async (block) => {
    expect(await run(block)).toMatch(/smk_[A-Za-z0-9]{49}/);
  });

  test.each(shellBlocks.filter((block) => block.includes(' render ')))('%s', async (block) => {
    await run(block);
    const rendered = readFileSync(join(workDirectory, 'user-data.rendered'), 'utf8');
    expect(rendered).toContain('content: "correct horse battery staple"');
  });

  test('has no other commands than those that are run here or by .ci/run', () => {
    const others = shellBlocks.filter((block) => !/curl|bin\//.test(block));
    expect(others).toEqual([START, CHECKS]);
    const ci = readFileSync(join(ROOT, '.ci/run'), 'utf8');
    for (const command of ['npm ci', 'npm test', 'npm run check']) expect(ci).toContain(command);
  });

  test('lists every variable of the configuration', () => {
    for (const name of VARIABLE_NAMES) expect(readme).toContain(`| \`${name}\` |`);
  });

  test('links to files that exist', () => {
    const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, path]) => path ?? '');
    expect(links.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  test('describes a server that ends in order when npm is told to', async () => {
    const exited = once(server, 'exit');
    server.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
  });
});
