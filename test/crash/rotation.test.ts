// Rotations killed at random points, many times, beside a server that serves: all is readable throughout, each rotation
// is completed by running it again, and at the end the new keys alone open everything.
// ROTATION_ROUNDS sets how often; each round kills some runs of one rotation and then completes it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { composeAdministration } from '../../src/compose.ts';
import { readConfig } from '../../src/config.ts';
import { commandLine } from '../support/command-line.ts';
import { QUICK_START } from '../support/program.ts';
import { countIn, DATA_KEYS, prepareRotationLoad, ROOT_KEYS_IN_USE, runAndKill } from '../support/rotation-load.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';

const ROUNDS = Number(process.env['ROTATION_ROUNDS'] ?? 12);
const KILLS_PER_ROUND = 4;
/** So many that rewrapping takes several steps. */
const ACCOUNTS = 450;
const KEYS_OF_THE_FIRST_START = 4;
const VALUES = 1_000;
/** Then the server is killed too, in the middle of whatever the killed rotations left. */
const ROUNDS_PER_SERVER = 3;

async function addAccounts(server: ServerProcess): Promise<void> {
  const administration = await composeAdministration(readConfig({ SECRET_MANAGER_DATA_DIR: server.dataDirectory }));
  for (let i = 0; i < ACCOUNTS; i += 1) await administration.accounts.create(`account ${i}`);
  await administration.close();
}

const killed = { runs: 0, inRootKeys: 0, inDataKeys: 0 };

/** How long a run took when it was completed, in ms: processes are killed somewhere in that. */
const took = { rootKey: 1_000, dataKey: 1_000 };

async function killSomeRotations(directory: string): Promise<void> {
  const environment = { SECRET_MANAGER_DATA_DIR: directory };
  const killAtRandom = async (args: string[], withinMs: number) => {
    const moment = performance.now() + Math.random() * withinMs;
    if (await runAndKill(environment, args, () => performance.now() > moment)) killed.runs += 1;
  };
  for (let kill = 0; kill < KILLS_PER_ROUND; kill += 1) {
    await killAtRandom(['root-key', 'rotate'], took.rootKey);
    if (countIn(directory, ROOT_KEYS_IN_USE) > 1) killed.inRootKeys += 1;
    await killAtRandom(['data-key', 'rotate', 'default'], took.dataKey);
    if (countIn(directory, DATA_KEYS) > 1) killed.inDataKeys += 1;
  }
}

async function completeRotations(directory: string): Promise<void> {
  const cli = commandLine(directory);
  const startedAt = performance.now();
  const { fingerprint, old } = await cli.json('root-key', 'rotate');
  took.rootKey = performance.now() - startedAt;
  expect(countIn(directory, ROOT_KEYS_IN_USE)).toBe(1);
  await cli.json('data-key', 'rotate', 'default');
  took.dataKey = performance.now() - startedAt - took.rootKey;
  expect(countIn(directory, DATA_KEYS)).toBe(1);
  for (const each of old) await cli.text('root-key', 'drop', each);
  const wrapped_keys = ACCOUNTS + KEYS_OF_THE_FIRST_START;
  expect(await cli.json('root-key', 'status')).toMatchObject([{ fingerprint, role: 'current', wrapped_keys }]);
  expect(readFileSync(join(directory, 'root.key'), 'utf8')).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
}

test(`rotations of both kinds, ${ROUNDS} rounds with ${KILLS_PER_ROUND} kills of each`, async () => {
  let server = await startServerProcess(QUICK_START);
  const { dataDirectory } = server;
  const restart = () => startServerProcess({ ...QUICK_START, SECRET_MANAGER_DATA_DIR: dataDirectory });
  const load = await prepareRotationLoad(server, VALUES);
  await addAccounts(server);

  for (let round = 0; round < ROUNDS; round += 1) {
    load.start(server);
    await killSomeRotations(dataDirectory);
    if (round % ROUNDS_PER_SERVER === 0) {
      await load.stop();
      await server.stop('SIGKILL');
      server = await restart();
      await load.expectAllReadable(server);
      load.start(server);
    }
    await completeRotations(dataDirectory);
    await load.stop();
    await load.expectAllReadable(server);
  }

  await server.stop();
  await load.expectAllReadable(await restart());
  expect(countIn(dataDirectory, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'")).toBe(1);
  expect(killed.inRootKeys).toBeGreaterThan(0);
  expect(killed.inDataKeys).toBeGreaterThan(0);
  process.stderr.write(`${JSON.stringify({ ...killed, answers: load.answers() })}\n`);
});
