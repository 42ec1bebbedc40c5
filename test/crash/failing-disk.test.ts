// A disk that fails under a server that is written to: what it refuses, what goes on, and that nothing is lost.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canMountDisks, mountSmallDisk, type SmallDisk } from '../storage/sqlite/small-disk.ts';
import { QUICK_START, whenReady } from '../support/program.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { canMountExt4, type Ext4Disk, mountExt4 } from './crash-disks.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { createRandom, type Random, SEED, TIMES } from './seeded-random.ts';
import { readServerState } from './stored-state.ts';
import { canTrace, spawnTraced, startTraced } from './strace.ts';
import { runWriteLoad, type WritableServer } from './write-load.ts';

const LISTS = '/api/secrets/lists';
const CLIENTS = 4;
const EXIT_OF_STORAGE = 5;

interface Trial {
  readonly ledger: Ledger;
  readonly random: Random;
  readonly environment: Record<string, string>;
  /** How often each status was answered. */
  readonly statuses: Map<number, number>;
}

function newTrial(name: string, directory = temporaryDirectory()): Trial {
  const number = [...name].reduce((sum, character) => sum * 31 + (character.codePointAt(0) ?? 0), SEED);
  const environment = { ...QUICK_START, SECRET_MANAGER_DATA_DIR: directory };
  return { ledger: createLedger(), random: createRandom(number), environment, statuses: new Map() };
}

/** Until each client has done its bursts, or is refused. */
async function write(trial: Trial, server: WritableServer, bursts: number, refusalMeans?: 'refused' | 'unanswered') {
  const { ledger, random, statuses } = trial;
  const onAnswer = (status: number) => statuses.set(status, (statuses.get(status) ?? 0) + 1);
  await runWriteLoad(server, {
    ledger,
    random,
    clients: CLIENTS,
    stepsEach: bursts,
    onAnswer,
    ...(refusalMeans && { refusalMeans }),
  });
}

const isAlive = async (server: WritableServer) => (await server.fetch(LISTS)).status === 200;
const statusOf = async (server: WritableServer, path: string) => (await server.fetch(path)).status;

/** A new server on the same data has all that was acknowledged, nothing that was refused, and can be written to. */
async function expectKeptAndWritable(trial: Trial): Promise<void> {
  const server = await startServerProcess(trial.environment);
  const verdict = trial.ledger.judge(await readServerState(server));
  expect(verdict.faults).toEqual([]);
  trial.ledger.settle(verdict);
  await write(trial, server, 2);
  expect(trial.ledger.judge(await readServerState(server)).faults).toEqual([]);
  expect((await server.stop()).exit).toBe(0);
}

async function prepareStore(trial: Trial): Promise<void> {
  const server = await startServerProcess(trial.environment);
  await write(trial, server, 5);
  expect((await server.stop()).exit).toBe(0);
}

function inject(calls: string, fault: string, ...more: string[]): string[] {
  return ['-o', '/dev/null', ...more, '-e', `trace=${calls}`, '-e', `inject=${calls}:${fault}`];
}

describe.runIf(canTrace).concurrent(`with the seed ${SEED}, an fsync that fails`, () => {
  // Behind those of the first start.
  const FIRST = 30;
  const LAST = 100;
  const chosen = createRandom(SEED);
  const numbers = Array.from({ length: 10 * TIMES }, () => FIRST + chosen.below(LAST - FIRST));

  test.each(numbers)(
    'once, number %i, is answered with 503 and ends the process; a restart is consistent',
    async (number) => {
      const trial = newTrial(`fsync ${number}`);
      const server = await startTraced(inject('fsync,fdatasync', `error=EIO:when=${number}`), trial.environment);
      await write(trial, server, 1_000, 'unanswered');
      expect(await server.exit).toBe(EXIT_OF_STORAGE);
      expect(trial.statuses.get(503)).toBeGreaterThan(0);
      expect([...trial.statuses.keys()].sort()).toEqual([200, 503]);
      await expectKeptAndWritable(trial);
    },
  );

  // SQLite goes on when a directory can't be synced; all else ends the start.
  test.each([1, 2, 3, 4, 7, 8, 9, 10, 12, 13])(
    'in a first start, number %i, ends it in one sentence or does no harm, and the next one works',
    async (number) => {
      const trial = newTrial(`first start ${number}`);
      const flags = inject('fsync,fdatasync', `error=EIO:when=${number}`);
      const { program, port } = await spawnTraced(flags, trial.environment);
      const isReady = await whenReady(port, program).then(
        () => true,
        () => false,
      );
      if (isReady) program.child.kill('SIGKILL');
      expect(await program.exit).toBe(isReady ? 'SIGKILL' : EXIT_OF_STORAGE);
      if (!isReady) expect(program.stderr()).toMatch(/^[A-Z][^\n]*\.\n$/);
      await expectKeptAndWritable(trial);
    },
  );

  test('in each checkpoint loses nothing: what could not be copied stays in the write-ahead log', async () => {
    const trial = newTrial('checkpoint');
    await prepareStore(trial);
    const database = `${trial.environment['SECRET_MANAGER_DATA_DIR']}/secret-manager.db`;
    const told = join(temporaryDirectory(), 'trace');
    const flags = [...inject('fsync,fdatasync', 'error=EIO', '-P', database), '-o', told];
    const server = await startTraced(flags, trial.environment);
    await write(trial, server, 60);
    await server.stop('SIGKILL');
    expect(readFileSync(told, 'utf8')).toContain('INJECTED');
    expect([...trial.statuses.keys()]).toEqual([200]);
    await expectKeptAndWritable(trial);
  });
});

describe.runIf(canTrace).concurrent(`with the seed ${SEED}, a write to the disk that fails`, () => {
  const REFUSALS = 20 * TIMES;

  test.each([
    ['EIO', 503],
    ['EROFS', 503],
    ['ENOSPC', 507],
  ])(`with %s is answered with %i, nothing of it is done, and the next ones work`, async (error, status) => {
    const trial = newTrial(error);
    await prepareStore(trial);
    const flags = inject(
      'pwrite64',
      `error=${error}:when=${40 + trial.random.below(20)}+${31 + trial.random.below(30)}`,
    );
    const server = await startTraced(flags, trial.environment);
    while ((trial.statuses.get(status) ?? 0) < REFUSALS) {
      await write(trial, server, 20);
      expect(await isAlive(server)).toBe(true);
    }
    expect([...trial.statuses.keys()].sort()).toEqual([200, status]);
    await server.stop('SIGKILL');
    await expectKeptAndWritable(trial);
  });
});

describe.runIf(canMountDisks())(`with the seed ${SEED}, a disk that is full`, () => {
  const FILLS = 10 * TIMES;
  let disk: SmallDisk;
  beforeAll(() => {
    disk = mountSmallDisk(16_000) as SmallDisk;
  });
  afterAll(() => disk.unmount());

  test(`${FILLS} times refuses writes with 507, answers reads, and takes writes again by itself`, async () => {
    const trial = newTrial('full', disk.directory);
    const server = await startServerProcess(trial.environment);
    for (let time = 1; time <= FILLS; time += 1) {
      await write(trial, server, 5);
      disk.fill(trial.random.below(100_000));
      await write(trial, server, 1_000);
      expect(trial.statuses.get(507)).toBeGreaterThanOrEqual(time);
      expect(trial.ledger.judge(await readServerState(server)).faults).toEqual([]);
      disk.empty();
    }
    await write(trial, server, 5);
    expect([...trial.statuses.keys()].sort()).toEqual([200, 507]);
    expect(await statusOf(server, '/readyz')).toBe(200);
    expect((await server.stop('SIGKILL')).exit).toBe('SIGKILL');
    await expectKeptAndWritable(trial);
  });
});

describe.runIf(canMountExt4())(`with the seed ${SEED}, a file system that gives up`, () => {
  let disk: Ext4Disk;
  beforeAll(() => {
    disk = mountExt4();
  });
  afterAll(() => disk.unmount());

  async function expectRefusingAndReading(server: ServerProcess): Promise<void> {
    expect(await statusOf(server, '/readyz')).toBe(503);
    expect(await isAlive(server)).toBe(true);
    expect(await statusOf(server, '/healthz')).toBe(200);
  }

  test('under a server that does nothing: writes and /readyz are 503, reads go on, and nothing is lost', async () => {
    const trial = newTrial('idle', `${disk.directory}/idle`);
    const server = await startServerProcess(trial.environment);
    await write(trial, server, 5);
    disk.giveUp();
    await write(trial, server, 5);
    expect([...trial.statuses.keys()].sort()).toEqual([200, 503]);
    await expectRefusingAndReading(server);
    await server.stop('SIGKILL');
    disk.mountAgain();
    await expectKeptAndWritable(trial);
  });

  test('under load: the same, or an fsync fails and the process ends', async () => {
    const trial = newTrial('loaded', `${disk.directory}/loaded`);
    const server = await startServerProcess(trial.environment);
    const ended = once(server.child, 'close');
    const writing = write(trial, server, 1_000, 'unanswered');
    await sleep(300);
    disk.giveUp();
    await writing;
    expect(trial.statuses.get(503)).toBeGreaterThan(0);
    expect([...trial.statuses.keys()].sort()).toEqual([200, 503]);
    await sleep(200);
    if (server.stdout().includes('a failed fsync')) {
      expect(await ended).toEqual([EXIT_OF_STORAGE, null]);
    } else {
      await expectRefusingAndReading(server);
      await server.stop('SIGKILL');
    }
    disk.mountAgain();
    await expectKeptAndWritable(trial);
  });
});
