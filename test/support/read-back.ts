// One long-lived Python that reads rendered documents back with PyYAML and cloud-init's own code.
// Where /usr/bin/python3 or its yaml module is missing, the tests that need it say that they are skipped.

import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll } from 'vitest';

const PYTHON = '/usr/bin/python3';

export const hasPyYaml = spawnSync(PYTHON, ['-c', 'import yaml']).status === 0;
export const hasCloudInit =
  hasPyYaml && spawnSync(PYTHON, ['-c', 'import cloudinit.user_data, cloudinit.templater, jinja2']).status === 0;
export const hasCrypt = hasPyYaml && spawnSync(PYTHON, ['-W', 'ignore', '-c', 'import crypt']).status === 0;

if (!hasPyYaml) process.stderr.write(`Skipped: reading back with PyYAML, because ${PYTHON} has no yaml module.\n`);
else if (!hasCloudInit) process.stderr.write('Skipped: reading back with cloud-init, which is not installed.\n');

export type Tagged = string | Tagged[] | { [name: string]: unknown };

export interface ReadBack {
  /** Strings as strings, lists as lists, maps as `{ map: [[key, value]] }`, all else as `{ type: repr }`. */
  yaml(text: string): Promise<Tagged>;
  /** Content type and bytes of each part that cloud-init would handle. */
  parts(document: Uint8Array): Promise<{ type: string; bytes: Buffer }[]>;
  jinja(text: string, variables: Record<string, unknown>): Promise<string>;
  crypt(password: string, salt: string): Promise<string>;
}

export function startReadBack(): ReadBack {
  const python = spawn(PYTHON, [join(import.meta.dirname, 'read_back.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting: ((line: string) => void)[] = [];
  createInterface({ input: python.stdout }).on('line', (line) => waiting.shift()?.(line));
  afterAll(() => {
    python.stdin.end();
  });

  async function ask<T>(request: Record<string, unknown>): Promise<T> {
    const line = await new Promise<string>((resolve) => {
      waiting.push(resolve);
      python.stdin.write(`${JSON.stringify(request)}\n`);
    });
    const reply = JSON.parse(line) as { ok: T; error?: string };
    if (reply.error !== undefined) throw new Error(`It can't be read back: ${reply.error}`);
    return reply.ok;
  }

  return {
    yaml: (text) => ask({ do: 'yaml', text }),
    async parts(document) {
      const text = Buffer.from(document).toString('base64');
      const found = await ask<[string, string][]>({ do: 'parts', text });
      return found.map(([type, bytes]) => ({ type, bytes: Buffer.from(bytes, 'base64') }));
    },
    jinja: (text, variables) => ask({ do: 'jinja', text, variables }),
    crypt: (password, salt) => ask({ do: 'crypt', text: password, salt }),
  };
}
