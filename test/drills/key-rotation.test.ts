// Rotations beside a real server, killed and run again, with each way in which root keys come. The long version is
// test/crash/rotation.test.ts.

import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type CommandLine, commandLine, EXIT_CODES } from '../support/command-line.ts';
import { QUICK_START } from '../support/program.ts';
import { countIn, DATA_KEYS, prepareRotationLoad, runAndKill } from '../support/rotation-load.ts';
import { startServerProcess } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** Each starts a dozen processes. */
const TIMEOUT_MS = 60_000;

const newRootKey = () => randomBytes(32).toString('base64');

async function currentRootKey(cli: CommandLine): Promise<string> {
  const all: { fingerprint: string; role: string }[] = await cli.json('root-key', 'status');
  return all.find(({ role }) => role === 'current')?.fingerprint ?? '';
}

test(
  'killed rotations are gone on with while a server serves; then the new keys alone open everything',
  async () => {
    const server = await startServerProcess(QUICK_START);
    const { dataDirectory } = server;
    const environment = { SECRET_MANAGER_DATA_DIR: dataDirectory };
    const cli = commandLine(dataDirectory);
    const load = await prepareRotationLoad(server, 400);
    const old = await currentRootKey(cli);
    load.start(server);
    const keysInFile = () => readFileSync(join(dataDirectory, 'root.key'), 'utf8').trim().split('\n').length;
    const isAnnounced = () => countIn(dataDirectory, 'SELECT count(*) FROM root_keys') > 1;
    for (const hasCome of [() => keysInFile() > 1, isAnnounced]) {
      await runAndKill(environment, ['root-key', 'rotate'], hasCome);
    }
    expect(keysInFile()).toBe(2);
    const rotated = await cli.json('root-key', 'rotate');
    const resealed = () => countIn(dataDirectory, 'SELECT count(*) FROM secret_values WHERE data_key_version > 1');
    for (const hasCome of [() => countIn(dataDirectory, DATA_KEYS) > 1, () => resealed() > 150]) {
      await runAndKill(environment, ['data-key', 'rotate', 'default'], hasCome);
    }
    await cli.json('data-key', 'rotate', 'default');
    expect(await cli.text('root-key', 'drop', old)).toBe(`Dropped the root key ${old}.`);
    await load.stop();
    await load.expectAllReadable(server);

    expect(await cli.json('root-key', 'status')).toEqual([
      expect.objectContaining({
        fingerprint: rotated.fingerprint,
        role: 'current',
        wrapped_keys: 4,
        server_has_it: true,
      }),
    ]);
    expect(await cli.json('data-key', 'status', 'default')).toEqual([expect.objectContaining({ is_current: true })]);
    expect(readFileSync(join(server.dataDirectory, 'root.key'), 'utf8')).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
    expect((await server.stop()).exit).toBe(0);
    const again = await startServerProcess({ ...QUICK_START, ...environment });
    await load.expectAllReadable(again);
  },
  TIMEOUT_MS,
);

describe('root keys from the environment', () => {
  test(
    'rotate by a restart with both; until then nothing is rewrapped, and without the old one no start',
    async () => {
      const [first, second] = [newRootKey(), newRootKey()];
      const only = { ...QUICK_START, SECRET_MANAGER_ROOT_KEY: first };
      const both = { ...QUICK_START, SECRET_MANAGER_ROOT_KEY: `${second},${first}` };
      const server = await startServerProcess(only);
      const directory = { SECRET_MANAGER_DATA_DIR: server.dataDirectory };
      const load = await prepareRotationLoad(server, 3);
      const advice = await commandLine(server.dataDirectory, only).text('root-key', 'rotate');
      expect(advice).toMatch(/wraps everything already; to rotate, put a new one .* first in SECRET_MANAGER_ROOT_KEY/);

      const cli = commandLine(server.dataDirectory, both);
      const refusals = await Promise.all([
        cli.failure(EXIT_CODES.refused, 'root-key', 'rotate'),
        cli.failure(EXIT_CODES.refused, 'account', 'create', 'team'),
      ]);
      for (const refusal of refusals)
        expect(refusal).toMatch(/^The running server does not have the root key [0-9a-f]{16};/);
      await load.expectAllReadable(server);
      await server.stop();

      const restarted = await startServerProcess({ ...both, ...directory });
      load.start(restarted);
      expect(await cli.json('root-key', 'rotate')).toMatchObject({ is_new: false, rewrapped: 4 });
      await load.stop();
      await load.expectAllReadable(restarted);
      expect(await cli.text('root-key', 'rotate')).toMatch(/^The root key [0-9a-f]{16} wraps everything already; run/);
      const old = await currentRootKey(commandLine(server.dataDirectory, only));
      await cli.text('root-key', 'drop', old);
      await restarted.stop();

      const lost = commandLine(server.dataDirectory, only);
      expect(await lost.failure(EXIT_CODES.rootKey, 'serve')).toMatch(
        /fingerprint [0-9a-f]{16}, but the data was sealed/,
      );
      const status = await lost.json('root-key', 'status');
      expect(
        status.map(({ role, wrapped_keys }: { role: string; wrapped_keys: number }) => [role, wrapped_keys]),
      ).toEqual([
        ['not at hand', 4],
        ['current', 0],
      ]);
      const alone = await startServerProcess({ ...QUICK_START, ...directory, SECRET_MANAGER_ROOT_KEY: second });
      await load.expectAllReadable(alone);
    },
    TIMEOUT_MS,
  );
});

describe('root keys from a mounted file', () => {
  test(
    'rotate without a restart: the server reads the file again when a key is announced',
    async () => {
      const path = join(temporaryDirectory(), 'root-key');
      const [first, second] = [newRootKey(), newRootKey()];
      writeFileSync(path, `${first}\n`);
      const environment = { ...QUICK_START, SECRET_MANAGER_ROOT_KEY_FILE: path };
      const server = await startServerProcess(environment);
      const load = await prepareRotationLoad(server, 3);
      const cli = commandLine(server.dataDirectory, environment);
      const old = await currentRootKey(cli);
      writeFileSync(path, `${second}\n${first}\n`);
      expect(await cli.json('root-key', 'rotate')).toMatchObject({ is_new: false, rewrapped: 4, old: [old] });
      const { id } = await cli.json('account', 'create', 'team');
      const { token } = await cli.json('key', 'create', '--account', String(id));
      const asTeam = { method: 'POST', headers: { authorization: `Bearer ${token}` } };
      expect(
        (await server.fetch('/api/secrets/lists', { ...asTeam, body: new URLSearchParams({ name: 'l' }) })).status,
      ).toBe(200);
      const value = new URLSearchParams({ secret_key: 'K', secret_value: 'v' });
      expect((await server.fetch('/api/secrets/lists/l/values', { ...asTeam, body: value })).status).toBe(200);
      await cli.text('root-key', 'drop', old);
      writeFileSync(path, `${second}\n`);
      await load.expectAllReadable(server);
      await server.stop();
      const again = await startServerProcess({ ...environment, SECRET_MANAGER_DATA_DIR: server.dataDirectory });
      await load.expectAllReadable(again);
    },
    TIMEOUT_MS,
  );
});

test(
  'without a server a rotation is done at once, and of two one is done',
  async () => {
    const server = await startServerProcess(QUICK_START);
    const load = await prepareRotationLoad(server, 3);
    await server.stop('SIGKILL');
    const cli = commandLine(server.dataDirectory);
    const outcomes = await Promise.all([
      cli.run('root-key', 'rotate', '--json'),
      cli.run('root-key', 'rotate', '--json'),
    ]);
    for (const { exitCode, stderr } of outcomes) expect([0, EXIT_CODES.refused], stderr).toContain(exitCode);
    const done = outcomes.filter(({ exitCode }) => exitCode === 0).map(({ stdout }) => JSON.parse(stdout));
    expect(done.filter(({ is_new }) => is_new)).toHaveLength(1);
    expect(await cli.json('root-key', 'status')).toHaveLength(2);
    await cli.json('data-key', 'rotate', 'default');
    const again = await startServerProcess({ ...QUICK_START, SECRET_MANAGER_DATA_DIR: server.dataDirectory });
    await load.expectAllReadable(again);
  },
  TIMEOUT_MS,
);
