// Files that were damaged, swapped or cut: a start that can't be right is refused in one sentence and changes nothing,
// and whatever is damaged, a secret is answered with its own content or with an error.

import { hash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { OperatorError } from '../../src/domain/errors.ts';
import { QUICK_START, startProgram } from '../support/program.ts';
import { startServerProcess } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { createRandom, SEED, TIMES } from './seeded-random.ts';
import { openInside, stateDirectory } from './store-openings.ts';
import { readServerState, type StoredState } from './stored-state.ts';
import { runWriteLoad } from './write-load.ts';

const DATABASE = 'secret-manager.db';
const WAL = `${DATABASE}-wal`;
const EXIT_OF_STORAGE = 5;
const EXIT_OF_ROOT_KEY = 6;
const FLIPS = 200 * TIMES;
const OF_A_VALUE = /^w\d+-v\S* is /;

interface Store {
  readonly directory: string;
  readonly ledger: Ledger;
}

/** Written to and ended in order, or killed, so that its last commits are in the write-ahead log alone. */
async function makeStore(end: 'SIGTERM' | 'SIGKILL', seed: number): Promise<Store> {
  const ledger = createLedger();
  const server = await startServerProcess({ ...QUICK_START, SECRET_MANAGER_DATA_DIR: temporaryDirectory() });
  await runWriteLoad(server, { ledger, random: createRandom(seed), clients: 4, stepsEach: 15 });
  await server.stop(end);
  return { directory: server.dataDirectory, ledger };
}

let ended: Store;
let killed: Store;
let other: Store;
beforeAll(async () => {
  ended = await makeStore('SIGTERM', SEED);
  killed = await makeStore('SIGKILL', SEED + 1);
  other = await makeStore('SIGTERM', SEED + 2);
});

const copies = stateDirectory();

function copyOf({ directory }: Store): string {
  const copy = mkdtempSync(join(copies, 'data-'));
  cpSync(directory, copy, { recursive: true });
  return copy;
}

/** Names, modes and hashes; without what a mere look at a database may make anew. */
function snapshot(directory: string): unknown {
  return readdirSync(directory)
    .sort()
    .filter((name) => !name.endsWith('-shm') && !(name === WAL && statSync(join(directory, name)).size === 0))
    .map((name) => [name, statSync(join(directory, name)).mode, hash('sha256', readFileSync(join(directory, name)))]);
}

const change = (name: string, edit: (bytes: Buffer) => void) => (directory: string) => {
  const bytes = readFileSync(join(directory, name));
  edit(bytes);
  writeFileSync(join(directory, name), bytes);
};
const cut = (name: string, part: number) => (directory: string) =>
  truncateSync(join(directory, name), Math.floor(statSync(join(directory, name)).size * part));
const write = (name: string, text: string) => (directory: string) => writeFileSync(join(directory, name), text);
const take =
  (store: () => Store, ...names: string[]) =>
  (directory: string) => {
    for (const name of names) cpSync(join(store().directory, name), join(directory, name));
  };

describe.concurrent(`with the seed ${SEED}, a start is refused and changes nothing`, () => {
  test.each<[string, (directory: string) => void, number]>([
    ['a database whose header is zeros', change(DATABASE, (bytes) => bytes.fill(0, 0, 100)), EXIT_OF_STORAGE],
    ['a database that is a text', write(DATABASE, 'hello\n'.repeat(5_000)), EXIT_OF_STORAGE],
    ['a database that is empty', write(DATABASE, ''), EXIT_OF_STORAGE],
    ['half a database', cut(DATABASE, 0.5), EXIT_OF_STORAGE],
    ['a tenth of a database', cut(DATABASE, 0.1), EXIT_OF_STORAGE],
    ['a root key that is empty', write('root.key', ''), EXIT_OF_ROOT_KEY],
    ['half a root key', cut('root.key', 0.5), EXIT_OF_ROOT_KEY],
    ["another store's root key", take(() => other, 'root.key'), EXIT_OF_ROOT_KEY],
    ["another store's database", take(() => other, DATABASE), EXIT_OF_ROOT_KEY],
  ])('for %s', async (_, damage, exitCode) => {
    const directory = copyOf(ended);
    damage(directory);
    const before = snapshot(directory);
    const program = startProgram({ SECRET_MANAGER_DATA_DIR: directory, PORT: '0' });
    expect(await program.exit, program.stderr()).toBe(exitCode);
    expect(program.stderr()).toMatch(/^[A-Z][^\n]*\.\n$/);
    expect(program.stdout()).toBe('');
    expect(snapshot(directory)).toEqual(before);
  });
});

test('the undamaged stores are fine, as a process and inside', async () => {
  for (const { directory, ledger } of [ended, killed]) {
    const copy = mkdtempSync(join(copies, 'fine-'));
    cpSync(directory, copy, { recursive: true });
    expect(ledger.judge(await openInside(copy)).faults).toEqual([]);
    const server = await startServerProcess({ ...QUICK_START, SECRET_MANAGER_DATA_DIR: copy });
    expect(ledger.judge(await readServerState(server)).faults).toEqual([]);
    await server.stop();
  }
});

describe(`with the seed ${SEED}, ${FLIPS} times a random byte that is changed`, () => {
  const random = createRandom(SEED);

  type Effect =
    | 'refused'
    | 'an error when read'
    | 'nothing to be seen'
    | 'another name of a list or another audit event'
    | 'values missing or of an older state';

  /** Fails when a value has a content that it never had. */
  async function effectOn(store: Store, file: string): Promise<Effect> {
    const directory = copyOf(store);
    change(file, (bytes) => {
      const at = random.below(bytes.length);
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 + random.below(255)), at);
    })(directory);
    const before = snapshot(directory);
    try {
      const state = await openInside(directory);
      expectOnlyOldContents(store.ledger, state);
      const { faults } = store.ledger.judge(state);
      if (faults.length === 0) return 'nothing to be seen';
      const isOfValues = faults.some((fault) => OF_A_VALUE.test(fault));
      return isOfValues ? 'values missing or of an older state' : 'another name of a list or another audit event';
    } catch (error) {
      if (!(error instanceof OperatorError)) return 'an error when read';
      expect(error.message).toMatch(/^[A-Z][^\n]*\.$/);
      if (error.message.includes('cannot be opened')) expect(snapshot(directory)).toEqual(before);
      return 'refused';
    } finally {
      rmSync(directory, { recursive: true });
    }
  }

  function expectOnlyOldContents({ operations }: Ledger, { things }: StoredState): void {
    const known = new Set(
      operations.flatMap(({ changes }) => changes.map(({ after }) => `${after?.name}: ${after?.content}`)),
    );
    for (const { state } of things.values()) {
      // The name of a list isn't sealed; the content of a value is, together with its key.
      if (state.content !== undefined) expect(known).toContain(`${state.name}: ${state.content}`);
    }
  }

  test.each([
    ['the database', () => ended, DATABASE],
    ['the write-ahead log', () => killed, WAL],
  ])('in %s never makes a secret answer with what it never was', async (name, store, file) => {
    const counts = new Map<Effect, number>();
    for (let i = 0; i < FLIPS; i += 1) {
      const effect = await effectOn(store(), file);
      counts.set(effect, (counts.get(effect) ?? 0) + 1);
    }
    const told = [...counts].map(([effect, count]) => `${effect} ${count}`).join(', ');
    process.stderr.write(`${FLIPS} bytes of ${name} changed: ${told}.\n`);
    expect(counts.get('nothing to be seen') ?? 0).toBeLessThan(FLIPS);
  });
});
