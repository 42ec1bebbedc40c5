// A start that would be wrong ends before anything listens: an exit code, one sentence that says what to do, and
// nothing generated or changed.

import { chmodSync, cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { EXIT_CODES } from '../support/command-line.ts';
import { freePort, QUICK_START, startProgram } from '../support/program.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { startTestServer } from '../support/test-server.ts';

const CHOSEN_KEY = 'a-key-that-must-not-be-shown-anywhere';
const ROOT_KEY = Buffer.alloc(32, 7).toString('base64');

let server: ServerProcess;
/** A data directory with a list in it, of a server that ended. */
let original: string;
beforeAll(async () => {
  const prepared = await startTestServer();
  await prepared.request('POST', '/api/secrets/lists');
  await prepared.close();
  original = prepared.config.dataDirectory;
  server = await startServerProcess(QUICK_START);
});

interface Outcome {
  readonly exitCode: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

function copyOfOriginal(): string {
  const directory = join(temporaryDirectory(), 'data');
  cpSync(original, directory, { recursive: true });
  chmodSync(directory, 0o700);
  return directory;
}

/** Names, modes and contents. */
function snapshot(directory: string): unknown {
  return readdirSync(directory)
    .sort()
    .map((name) => {
      const path = join(directory, name);
      return [name, statSync(path).mode, readFileSync(path, 'base64')];
    });
}

async function startAndFail(environment: Record<string, string>): Promise<Outcome> {
  const port = environment['PORT'] ?? String(await freePort());
  const program = startProgram({ PORT: port, SECRET_MANAGER_API_KEY: CHOSEN_KEY, ...environment });
  const exitCode = await Promise.race([program.exit, sleep(10_000, 'it is still running')]);
  const outcome = { exitCode, stdout: program.stdout(), stderr: program.stderr() };
  expect(outcome.stdout, outcome.stderr).toBe('');
  expect(outcome.stderr).not.toContain(CHOSEN_KEY);
  if (environment['PORT'] === undefined) await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
  return outcome;
}

/** Starts on the directory, which must be as before afterwards. */
async function expectRefusedUntouched(directory: string, environment: Record<string, string>, exitCode: number) {
  const before = snapshot(directory);
  const outcome = await startAndFail({ SECRET_MANAGER_DATA_DIR: directory, ...environment });
  expect(outcome.exitCode, outcome.stderr).toBe(exitCode);
  expect(outcome.stderr).toMatch(/^[A-Z][^\n]*\.\n$/);
  expect(snapshot(directory)).toEqual(before);
  return outcome.stderr;
}

describe.concurrent('a start is refused', { timeout: 60_000 }, () => {
  test('on the data of a running server, which goes on', async () => {
    const { exitCode, stderr } = await startAndFail({ SECRET_MANAGER_DATA_DIR: server.dataDirectory });
    expect(exitCode).toBe(EXIT_CODES.storage);
    expect(stderr).toMatch(/^Another server is using the data directory [^\n]*\.\n$/);
    expect((await server.fetch('/api/secrets/lists', { method: 'POST' })).status).toBe(200);
  });

  test('on a port that is taken', async () => {
    const directory = copyOfOriginal();
    const environment = { SECRET_MANAGER_DATA_DIR: directory, PORT: String(server.port) };
    const { exitCode, stderr } = await startAndFail(environment);
    expect(exitCode).toBe(EXIT_CODES.configuration);
    expect(stderr).toMatch(/^The server cannot listen on 127\.0\.0\.1, port \d+ \(EADDRINUSE\); [^\n]*\.\n$/);
    expect(stderr).toContain(String(server.port));
  });

  test('with another root key in its file', async () => {
    const directory = copyOfOriginal();
    writeFileSync(join(directory, 'root.key'), `${ROOT_KEY}\n`);
    const sentence = await expectRefusedUntouched(directory, {}, EXIT_CODES.rootKey);
    expect(sentence).toContain('fingerprint');
    expect(sentence).not.toContain(ROOT_KEY);
  });

  test('with another root key in the environment, however good the one in the file is', async () => {
    const environment = { SECRET_MANAGER_ROOT_KEY: ROOT_KEY };
    const sentence = await expectRefusedUntouched(copyOfOriginal(), environment, EXIT_CODES.rootKey);
    expect(sentence).not.toContain(ROOT_KEY);
  });

  test('with data but without its root key, and none is generated', async () => {
    const directory = copyOfOriginal();
    rmSync(join(directory, 'root.key'));
    const sentence = await expectRefusedUntouched(directory, {}, EXIT_CODES.rootKey);
    expect(sentence).toContain('root.key is missing');
  });

  test('with a root key that others may read, and serves once that is mended', async () => {
    const directory = copyOfOriginal();
    chmodSync(join(directory, 'root.key'), 0o644);
    const sentence = await expectRefusedUntouched(directory, {}, EXIT_CODES.rootKey);
    expect(sentence).toContain('chmod 600');

    chmodSync(join(directory, 'root.key'), 0o600);
    const mended = await startTestServer({ SECRET_MANAGER_DATA_DIR: directory });
    expect((await mended.request('GET', '/api/secrets/lists')).json.data).toHaveLength(1);
    await mended.close();
  });

  test('with a root key of 33 bytes in its file', async () => {
    const directory = copyOfOriginal();
    writeFileSync(join(directory, 'root.key'), Buffer.alloc(33, 1).toString('base64'));
    await expectRefusedUntouched(directory, {}, EXIT_CODES.rootKey);
  });

  test('with a root key whose database is gone', async () => {
    const directory = copyOfOriginal();
    rmSync(join(directory, 'secret-manager.db'));
    expect(await expectRefusedUntouched(directory, {}, EXIT_CODES.storage)).toContain('root.key');
  });

  test('with a configuration that is wrong, and every fault is told at once without a value', async () => {
    const directory = join(temporaryDirectory(), 'data');
    const { exitCode, stderr } = await startAndFail({
      PORT: '65536',
      HOST: '',
      LOG_LEVEL: 'loud-canary',
      SECRET_MANAGER_DATA_DIR: directory,
      SECRET_MANAGER_ROOT_KEY: 'short-canary',
      SECRET_MANAGER_API_KEY: 'canary key',
      SECRET_MANAGER_PUBLIC_URL: 'ftp://canary',
      SECRET_MANAGER_PUBLIC_URL_FILE: '/nowhere',
    });
    expect(exitCode).toBe(EXIT_CODES.configuration);
    const names = ['HOST', 'PORT', 'LOG_LEVEL', 'SECRET_MANAGER_ROOT_KEY', 'SECRET_MANAGER_API_KEY'];
    for (const name of [...names, 'SECRET_MANAGER_PUBLIC_URL']) {
      expect(stderr).toMatch(new RegExp(`^${name} [^\\n]*\\.$`, 'm'));
    }
    expect(stderr).not.toContain('canary');
    expect(() => statSync(directory)).toThrow();
  });

  test('with a data directory that is a file', async () => {
    const file = join(temporaryDirectory(), 'data');
    writeFileSync(file, 'something else');
    const { exitCode, stderr } = await startAndFail({ SECRET_MANAGER_DATA_DIR: file });
    expect(exitCode).toBe(EXIT_CODES.storage);
    expect(stderr).toMatch(/^The data directory [^\n]*\.\n$/);
    expect(readFileSync(file, 'utf8')).toBe('something else');
  });
});
