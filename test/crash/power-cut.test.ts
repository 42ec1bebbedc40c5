// The power goes at any moment. A traced server tells what it asked of the disk, and in which order; from that follow
// the contents that a disk may have after a cut. From each of them the server must start and have all that it had
// acknowledged by then.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { createDisk, writeDisk } from './disk-after-cut.ts';
import type { DiskEvent } from './disk-trace.ts';
import type { Operation } from './ledger.ts';
import { createRandom, type Random, SEED, TIMES } from './seeded-random.ts';
import { type Open, openAsProcess, openInside, openWhole, stateDirectory } from './store-openings.ts';
import { canTrace } from './strace.ts';
import { type TracedRun, traceRun } from './traced-run.ts';
import type { Verdict } from './verdict.ts';

/** How many cuts are opened how: the more of the server takes part, the longer each takes. */
const OPENINGS = [
  ['its storage and keys', openInside, 900 * TIMES],
  ['the whole server, in this process', openWhole, 150 * TIMES],
  ['a server process', openAsProcess, 20 * TIMES],
] as const;
const CUTS_OF_A_MISTAKE = 40;
/** Killed when idle, so that the next start has to recover; then in order; then to the end. */
const STRETCHES = [
  { end: 'SIGKILL', bursts: 40 },
  { end: 'SIGTERM', bursts: 40 },
  { end: 'SIGKILL', bursts: 10 },
] as const;

function randomCuts(count: number, length: number, random: Random): number[] {
  return Array.from({ length: count }, () => 1 + random.below(length)).sort((a, b) => a - b);
}

const base = stateDirectory();

/** What is wrong after each cut; nothing for most. */
async function replay({ trace, ledger }: TracedRun, cuts: readonly number[], random: Random, open: Open) {
  const disk = createDisk(trace);
  const broken: { cut: number; verdict: Verdict }[] = [];
  for (const cut of cuts) {
    const directory = join(base, `cut-${cut}-${random.below(1e9)}`);
    writeDisk(directory, disk.afterCut(cut, random));
    const hadLeft = ({ requestId = '' }: Operation) => (trace.answers.get(requestId) ?? Number.POSITIVE_INFINITY) < cut;
    const verdict = await open(directory).then(
      (stored) => ledger.judge(stored, hadLeft),
      (error: Error) => ({
        faults: [`it does not open: ${error.message}`],
        lost: ledger.operations.filter(hadLeft).length,
        doneUnanswered: new Set<Operation>(),
      }),
    );
    if (verdict.faults.length > 0) broken.push({ cut, verdict });
    rmSync(directory, { recursive: true });
  }
  return broken;
}

function withoutSyncs({ trace, ledger }: TracedRun, isLeftOut: (event: DiskEvent) => boolean): TracedRun {
  return { ledger, trace: { ...trace, events: trace.events.filter((event) => !isLeftOut(event)) } };
}

const countLosses = (broken: readonly { verdict: Verdict }[]) =>
  broken.filter(({ verdict }) => verdict.lost > 0).length;

describe.runIf(canTrace)(`a power cut, with the seed ${SEED},`, () => {
  const random = createRandom(SEED);
  let run: TracedRun;
  beforeAll(async () => {
    run = await traceRun(random, STRETCHES);
  });

  test('is replayed from a trace that has checkpoints and hundreds of acknowledged writes in it', () => {
    const { events, answers } = run.trace;
    expect(run.ledger.operations.length).toBeGreaterThan(400);
    expect(answers.size).toBeGreaterThanOrEqual(run.ledger.operations.length);
    const ofDatabase = (kind: string) =>
      events.filter((event) => event.name === 'secret-manager.db' && event.kind === kind);
    expect(ofDatabase('sync').length).toBeGreaterThan(2);
    expect(ofDatabase('write').length).toBeGreaterThan(100);
  });

  test.each(OPENINGS)('loses nothing that was acknowledged: opened with %s', async (_, open, count) => {
    const broken = await replay(run, randomCuts(count, run.trace.length, random), random, open);
    process.stderr.write(`${count} power cuts of ${run.ledger.operations.length} writes: ${broken.length} lost any.\n`);
    expect(broken.map(({ cut, verdict }) => [cut, verdict.faults.slice(0, 3)])).toEqual([]);
  });

  test.each<[string, (event: DiskEvent) => boolean]>([
    ['of the write-ahead log', ({ kind, name }) => kind === 'sync' && name.endsWith('-wal')],
    ['of the database', ({ kind, name }) => kind === 'sync' && name.endsWith('.db')],
    ['of the directory', ({ kind }) => kind === 'sync-directory'],
  ])('without the syncs %s would lose acknowledged writes, and the replay says so', async (_, isLeftOut) => {
    const deaf = withoutSyncs(run, isLeftOut);
    const broken = await replay(deaf, randomCuts(CUTS_OF_A_MISTAKE, run.trace.length, random), random, openInside);
    expect(broken.length).toBeGreaterThan(CUTS_OF_A_MISTAKE / 10);
  });

  test('loses acknowledged writes with synchronous=NORMAL, and the replay says so', async () => {
    const preload = ['--import', join(import.meta.dirname, 'lower-synchronous.ts')];
    const lowered = await traceRun(random, [{ end: 'SIGKILL', bursts: 20 }], preload);
    const broken = await replay(
      lowered,
      randomCuts(CUTS_OF_A_MISTAKE, lowered.trace.length, random),
      random,
      openInside,
    );
    process.stderr.write(
      `With synchronous=NORMAL ${countLosses(broken)} of ${CUTS_OF_A_MISTAKE} cuts lose acknowledged writes.\n`,
    );
    expect(countLosses(broken)).toBeGreaterThan(CUTS_OF_A_MISTAKE / 10);
  });
});
