// What a person sees when the server starts: the first key once, on standard error, with a line that works; the banner
// on a terminal and nowhere else.

import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import {
  eventually,
  freePort,
  PROGRAM,
  type Program,
  startProgram,
  stopProgram,
  whenReady,
} from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const run = promisify(execFile);
const GENERATED_KEY = /smk_[0-9A-Za-z]{49}/g;
const CURL_LINE = /^ *(curl .*)$/m;
const CHOSEN_KEY = 'a-chosen-key-that-is-never-shown-again';
const ROOT_KEY = Buffer.alloc(32, 9).toString('base64');

function has(command: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${command}`]);
    return true;
  } catch {
    return false;
  }
}

async function startServer(environment: Record<string, string>): Promise<Program> {
  const port = await freePort();
  const program = startProgram({ PORT: String(port), ...environment });
  await whenReady(port, program);
  await eventually(() => program.stdout().includes('"msg":"listening"'), 'the server says where it listens');
  return program;
}

/** Runs the line with curl that the server printed, as somebody would who copies it and has the key in its variable. */
async function runCurlLine(program: Program, chosenKey = ''): Promise<unknown> {
  const line = CURL_LINE.exec(program.stderr())?.[1] ?? 'echo there is no curl line';
  const variable = /\$([A-Z_]+)/.exec(line)?.[1] ?? 'UNUSED';
  const { PATH = '' } = process.env;
  const { stdout } = await run('bash', ['-c', `${line} --silent`], { env: { PATH, [variable]: chosenKey } });
  return JSON.parse(stdout);
}

describe.concurrent('a start', { timeout: 60_000 }, () => {
  test.skipIf(!has('curl'))(
    'that is the first prints the generated key and a line that works; no later one does',
    async () => {
      const environment = { SECRET_MANAGER_DATA_DIR: join(temporaryDirectory(), 'new', 'data'), LOG_LEVEL: 'trace' };
      const first = await startServer(environment);
      const keys = new Set(first.stderr().match(GENERATED_KEY));
      expect(keys.size, first.stderr()).toBe(1);
      expect(first.stderr().match(/first start/g)).toHaveLength(1);
      expect(await runCurlLine(first)).toMatchObject({ result: 'success', code: 200, data: [] });
      expect((await stopProgram(first)).exit).toBe(0);
      expect(first.stdout()).not.toMatch(GENERATED_KEY);

      const second = await startServer(environment);
      expect((await stopProgram(second)).exit).toBe(0);
      expect(second.stderr()).toBe('');
      expect(second.stdout()).not.toMatch(GENERATED_KEY);
      for (const line of second.stdout().trim().split('\n')) expect(() => JSON.parse(line)).not.toThrow();
    },
  );

  test.skipIf(!has('curl'))('with keys from files, as Docker mounts secrets, never prints them', async () => {
    const mounted = temporaryDirectory();
    const dataDirectory = temporaryDirectory();
    writeFileSync(join(mounted, 'api-key'), `${CHOSEN_KEY}\n`);
    writeFileSync(join(mounted, 'root-key'), `${ROOT_KEY}\n`);
    const program = await startServer({
      SECRET_MANAGER_DATA_DIR: dataDirectory,
      SECRET_MANAGER_API_KEY_FILE: join(mounted, 'api-key'),
      SECRET_MANAGER_ROOT_KEY_FILE: join(mounted, 'root-key'),
      LOG_LEVEL: 'trace',
    });
    expect(await runCurlLine(program, CHOSEN_KEY)).toMatchObject({ code: 200, data: [] });
    await stopProgram(program);
    for (const key of [CHOSEN_KEY, ROOT_KEY]) expect(program.stdout() + program.stderr()).not.toContain(key);
    expect(() => readFileSync(join(dataDirectory, 'root.key'))).toThrow('ENOENT');
  });

  test('that is the first and finds its port taken does not swallow the key', async () => {
    const environment = { SECRET_MANAGER_DATA_DIR: temporaryDirectory() };
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const failed = startProgram({ ...environment, PORT: String((other.address() as AddressInfo).port) });
    expect(await failed.exit).toBe(3);
    other.close();

    const next = await startServer(environment);
    const keys = new Set((failed.stderr() + next.stderr()).match(GENERATED_KEY));
    expect(keys.size, 'a key was shown').toBe(1);
    const url = /"address":"(http:[^"]*)"/.exec(next.stdout())?.[1];
    const headers = { authorization: `Bearer ${[...keys][0]}` };
    expect((await fetch(`${url}/api/secrets/lists`, { headers })).status).toBe(200);
  });

  test.skipIf(!has('script'))('on a terminal shows a banner and ends with Ctrl+C', async () => {
    const port = await freePort();
    const command = ['script', '-qefc', `exec ${PROGRAM.map((word) => `'${word}'`).join(' ')}`, '/dev/null'];
    const environment = { PORT: String(port), SECRET_MANAGER_DATA_DIR: temporaryDirectory() };
    const terminal = startProgram(environment, { command, stdio: ['pipe', 'pipe', 'pipe'] });
    await whenReady(port, terminal);
    await eventually(() => terminal.stdout().includes('Ctrl+C'), 'the banner');
    expect(terminal.stdout()).toContain(`http://127.0.0.1:${port}`);
    terminal.child.stdin?.write('\x03');
    expect(await terminal.exit).toBe(0);
  });
});
