// Reads and writes beside a rotation: every answer must be 200 and right, and at the end everything must be there. And
// rotations that are killed and run again until one is done.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { expect } from 'vitest';
import { PROGRAM, startProgram } from './program.ts';
import type { ServerProcess } from './server-process.ts';

const WORKERS = 3;
const LOOK_EVERY_MS = 5;
const LIST = '/api/secrets/lists/rotation';
const VALUES = `${LIST}/values`;
const INSTANCES = '/api/cloud-init/instances';

export interface RotationLoad {
  /** Starts to work on a server, until `stop`. */
  start(server: ServerProcess): void;
  /** Resolves when every answer is here; fails when one was wrong. */
  stop(): Promise<void>;
  /** Answers that were right so far. */
  answers(): number;
  /** Fails unless the server has every value and every seed, exactly. */
  expectAllReadable(server: ServerProcess): Promise<void>;
}

// biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of an answer.
type Data = any;

/** Stores some values and a seed first. */
export async function prepareRotationLoad(server: ServerProcess, values: number): Promise<RotationLoad> {
  const promised = new Map<string, string>();
  let answers = 0;
  let isStopped = true;
  let working: Promise<unknown> = Promise.resolve();

  async function ask(on: ServerProcess, method: string, path: string, fields?: Record<string, string>): Promise<Data> {
    const response = await on.fetch(path, { method, ...(fields && { body: new URLSearchParams(fields) }) });
    const text = await response.text();
    expect(response.status, `${method} ${path}: ${text}`).toBe(200);
    answers += 1;
    return JSON.parse(text).data;
  }

  async function create(on: ServerProcess, key: string, value: string): Promise<void> {
    await ask(on, 'POST', VALUES, { secret_key: key, secret_value: value });
    promised.set(key, value);
  }

  async function expectReads(on: ServerProcess, key: string): Promise<void> {
    const value = promised.get(key);
    expect((await ask(on, 'GET', `${VALUES}/${key}`)).secret_value).toBe(value);
  }

  /** Each worker has keys of its own, so it knows what each must be. */
  async function work(on: ServerProcess, worker: number): Promise<void> {
    const mine: string[] = [];
    while (!isStopped) {
      const key = `W${worker}_${promised.size}_${mine.length}`;
      mine.push(key);
      await create(on, key, `first of ${key}`);
      await expectReads(on, key);
      const earlier = mine[Math.floor(Math.random() * mine.length)] ?? key;
      await ask(on, 'POST', `${VALUES}/${earlier}`, { secret_value: `changed ${mine.length}` });
      promised.set(earlier, `changed ${mine.length}`);
      await expectReads(on, earlier);
      await expectReads(on, `V${Math.floor(Math.random() * values)}`);
      await expectSeed(on);
    }
  }

  async function expectSeed(on: ServerProcess): Promise<void> {
    const response = await on.fetch(`${seed}user-data`);
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('value 0');
    answers += 1;
  }

  await ask(server, 'POST', '/api/secrets/lists', { name: 'rotation' });
  const keys = Array.from({ length: values }, (_, i) => i);
  for (let i = 0; i < values; i += 50) {
    await Promise.all(keys.slice(i, i + 50).map((each) => create(server, `V${each}`, `value ${each}`)));
  }
  const instance = { instance_id: 'machine', hostname: 'machine', user_data: '#cloud-config\na: ${{secret.V0}}\n' };
  const { seed_url } = await ask(server, 'POST', INSTANCES, instance);
  const seed = new URL(seed_url).pathname;

  return {
    answers: () => answers,

    start(on) {
      isStopped = false;
      working = Promise.all(Array.from({ length: WORKERS }, (_, i) => work(on, i)));
      // Told by `stop`.
      working.catch(() => undefined);
    },

    async stop() {
      isStopped = true;
      await working;
    },

    async expectAllReadable(on) {
      const stored: Data[] = await ask(on, 'GET', VALUES);
      const found = new Map(stored.map(({ secret_key, secret_value }) => [secret_key, secret_value]));
      expect(found.size).toBe(promised.size);
      for (const [key, value] of promised) expect(found.get(key), key).toBe(value);
      await expectSeed(on);
      expect(on.stdout()).not.toContain('ALARM');
    },
  };
}

/** Runs a command and kills it when the moment has come. False when it had ended before. */
export async function runAndKill(
  environment: Record<string, string>,
  args: readonly string[],
  hasCome: () => boolean,
): Promise<boolean> {
  const { child, exit } = startProgram(environment, { command: [...PROGRAM, ...args] });
  while (child.exitCode === null && !hasCome()) await sleep(LOOK_EVERY_MS);
  child.kill('SIGKILL');
  return (await exit) === 'SIGKILL';
}

/** One number out of the database, as another process sees it. */
export function countIn(dataDirectory: string, sql: string): number {
  const connection = new Database(join(dataDirectory, 'secret-manager.db'), { readonly: true });
  try {
    return connection.prepare<[], number>(sql).pluck().get() ?? 0;
  } finally {
    connection.close();
  }
}

export const ROOT_KEYS_IN_USE = 'SELECT count(DISTINCT root_key_fingerprint) FROM data_keys';
export const DATA_KEYS = 'SELECT count(*) FROM data_keys WHERE account_id = 1';
