// Load that remembers what it was promised: every answer of 200 must still be true after a crash. What was asked for
// and never answered may have happened or not.

import { expect } from 'vitest';
import type { ServerProcess } from './server-process.ts';

const WORKERS = 8;
const LIST = '/api/secrets/lists/crash';

export interface CrashLoad {
  prepare(server: ServerProcess): Promise<void>;
  /** Creates, changes and deletes values, on several connections, until the server is gone. */
  workUntilGone(server: ServerProcess, round: number): Promise<void>;
  /** Answers of 200 so far. */
  acknowledged(): number;
  /** Fails when the server has lost, brought back or made up anything. */
  expectKept(server: ServerProcess): Promise<void>;
}

type Fields = Record<string, string>;

export function createCrashLoad(): CrashLoad {
  /** Secret key to value. */
  const promised = new Map<string, string>();
  /** What was asked for and not answered; null is a deletion. */
  const inDoubt = new Map<string, string | null>();
  let acknowledged = 0;

  /** False when the server was gone before it answered. */
  async function ask(server: ServerProcess, method: string, path: string, fields?: Fields): Promise<boolean> {
    try {
      const response = await server.fetch(path, { method, ...(fields && { body: new URLSearchParams(fields) }) });
      const text = await response.text();
      expect(response.status, text).toBe(200);
      acknowledged += 1;
      return true;
    } catch (error) {
      if (error instanceof TypeError) return false;
      throw error;
    }
  }

  async function change(server: ServerProcess, key: string, value: string | null, path: string): Promise<boolean> {
    inDoubt.set(key, value);
    const fields = value === null ? undefined : { secret_key: key, secret_value: value };
    if (!(await ask(server, value === null ? 'DELETE' : 'POST', path, fields))) return false;
    if (value === null) promised.delete(key);
    else promised.set(key, value);
    inDoubt.delete(key);
    return true;
  }

  /** A third of the values stay as they are created, a third are changed, a third are changed and deleted. */
  async function work(server: ServerProcess, name: string): Promise<void> {
    for (let i = 0; ; i += 1) {
      const key = `KEY_${name}_${i}`;
      const path = `${LIST}/values/${key}`;
      if (!(await change(server, key, `first of ${key}`, `${LIST}/values`))) return;
      if (i % 3 > 0 && !(await change(server, key, `second of ${key}`, path))) return;
      if (i % 3 > 1 && !(await change(server, key, null, path))) return;
    }
  }

  async function readStored(server: ServerProcess): Promise<Map<string, string>> {
    const response = await server.fetch(`${LIST}/values`);
    const { data } = (await response.json()) as { data: { secret_key: string; secret_value: string }[] };
    return new Map(data.map((value) => [value.secret_key, value.secret_value]));
  }

  return {
    acknowledged: () => acknowledged,

    async prepare(server) {
      await ask(server, 'POST', '/api/secrets/lists', { name: 'crash' });
    },

    async workUntilGone(server, round) {
      await Promise.all(Array.from({ length: WORKERS }, (_, i) => work(server, `${round}_${i}`)));
    },

    async expectKept(server) {
      const stored = await readStored(server);
      for (const [key, value] of promised) if (!inDoubt.has(key)) expect(stored.get(key), key).toBe(value);
      for (const [key, wanted] of inDoubt) {
        const allowed = [promised.get(key) ?? null, wanted];
        expect(allowed, key).toContain(stored.get(key) ?? null);
      }
      for (const key of stored.keys()) expect(promised.has(key) || inDoubt.has(key), key).toBe(true);
      promised.clear();
      inDoubt.clear();
      for (const [key, value] of stored) promised.set(key, value);
    },
  };
}
