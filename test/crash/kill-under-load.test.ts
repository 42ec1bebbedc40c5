// The server killed again and again while clients write. What was acknowledged is there to the byte, what was under way
// is there wholly or not at all, and nothing else is.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { eventually, QUICK_START, startProgram } from '../support/program.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { createRandom, type Random, SEED, TIMES } from './seeded-random.ts';
import { readServerState } from './stored-state.ts';
import { runWriteLoad } from './write-load.ts';

const STORES = 4 * TIMES;
const KILLS_UNDER_LOAD = 26;
const KILLS_WHILE_STARTING = 4;
const CLIENTS = 5;
const LONGEST_STOP_MS = 10_000;

interface Trial {
  readonly ledger: Ledger;
  readonly random: Random;
  readonly environment: Record<string, string>;
}

function newTrial(seed: number): Trial {
  const environment = { ...QUICK_START, SECRET_MANAGER_DATA_DIR: temporaryDirectory(), LOG_LEVEL: 'info' };
  return { ledger: createLedger(), random: createRandom(seed), environment };
}

const countAcknowledged = ({ operations }: Ledger) =>
  operations.filter(({ outcome }) => outcome === 'acknowledged').length;

/** Fails unless the store holds what the ledger says, and settles what was never answered. Returns how much of that was done. */
async function expectKept({ ledger }: Trial, server: ServerProcess): Promise<number> {
  const verdict = ledger.judge(await readServerState(server));
  expect(verdict.faults).toEqual([]);
  ledger.settle(verdict);
  return verdict.doneUnanswered.size;
}

async function killUnderLoad({ ledger, random }: Trial, server: ServerProcess): Promise<void> {
  const enough = countAcknowledged(ledger) + 1 + random.below(90);
  let status = 200;
  const working = runWriteLoad(server, {
    ledger,
    random,
    clients: CLIENTS,
    onAnswer: (answered) => {
      status = Math.max(status, answered);
    },
  });
  await eventually(() => countAcknowledged(ledger) >= enough, 'there is load');
  // At any moment, not only at those when this process looks.
  const wait = random.below(4);
  if (wait > 0) await sleep(wait);
  expect((await server.stop('SIGKILL')).exit).toBe('SIGKILL');
  await working;
  expect(status).toBe(200);
}

async function killWhileStarting({ random, environment }: Trial): Promise<void> {
  const program = startProgram({ ...environment, PORT: '0' });
  await sleep(150 + random.below(300));
  program.child.kill('SIGKILL');
  expect(await program.exit).toBe('SIGKILL');
}

describe.concurrent(`a server, with the seed ${SEED},`, () => {
  test.each(Array.from({ length: STORES }, (_, store) => store))(
    `that is killed ${KILLS_UNDER_LOAD} times under load keeps all that it acknowledged: store %i`,
    async (store) => {
      const trial = newTrial(SEED + store);
      let startsToKill = KILLS_WHILE_STARTING;
      let server = await startServerProcess(trial.environment);
      for (let kill = 0; kill < KILLS_UNDER_LOAD; kill += 1) {
        await killUnderLoad(trial, server);
        if (startsToKill * (KILLS_UNDER_LOAD / KILLS_WHILE_STARTING) > KILLS_UNDER_LOAD - kill) {
          startsToKill -= 1;
          await killWhileStarting(trial);
        }
        server = await startServerProcess(trial.environment);
        await expectKept(trial, server);
      }
      expect((await server.stop()).exit).toBe(0);
      expect(countAcknowledged(trial.ledger)).toBeGreaterThan(KILLS_UNDER_LOAD * 20);
      process.stderr.write(
        `Killed ${KILLS_UNDER_LOAD} + ${KILLS_WHILE_STARTING} times: ${countAcknowledged(trial.ledger)} writes acknowledged, 0 lost.\n`,
      );
    },
  );

  test('that is told to stop under load answers what is under way, ends with 0 and keeps what it acknowledged', async () => {
    const trial = newTrial(SEED + STORES);
    const server = await startServerProcess(trial.environment);
    const working = runWriteLoad(server, { ...trial, clients: CLIENTS });
    await eventually(() => countAcknowledged(trial.ledger) > 200, 'there is load');
    const { exit, tookMs } = await server.stop('SIGTERM');
    expect(exit).toBe(0);
    expect(tookMs).toBeLessThan(LONGEST_STOP_MS);
    await working;
    // What was done was answered, too.
    expect(await expectKept(trial, await startServerProcess(trial.environment))).toBe(0);
  });
});
