// npm run bench: a thousand machines that boot at once, each fetching its whole seed from a real server.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const MACHINES = 1_000;
const PORT = 18_081;
const KEY = 'a-key-of-the-benchmark-and-of-nothing-else';
const LAUNCHER = join(import.meta.dirname, '../bin/secret-manager');
const FILES = ['meta-data', 'user-data', 'vendor-data', 'network-config'];
const USER_DATA = `#cloud-config
write_files:
${Array.from({ length: 10 }, (_, i) => `- path: /etc/app/${i}\n  permissions: '0600'\n  content: \${{secret.KEY_${i}}}\n`).join('')}`;

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly tookMs: number;
}

/** A connection of its own for each machine, as cloud-init has. */
function ask(path: string, body?: string, agent = new Agent({ keepAlive: true, maxSockets: 1 })): Promise<Answer> {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const sent = request(
      {
        port: PORT,
        path,
        agent,
        method: body === undefined ? 'GET' : 'POST',
        headers: path.startsWith('/api') ? { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' } : {},
      },
      (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, body: text, tookMs: performance.now() - startedAt });
        });
      },
    );
    sent.on('error', () => resolve({ status: 0, body: '', tookMs: performance.now() - startedAt }));
    sent.end(body);
  });
}

async function prepareSeeds(): Promise<string[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  await ask('/api/secrets/lists', JSON.stringify({ name: 'storm' }), agent);
  for (let i = 0; i < 10; i += 1) {
    const value = { secret_key: `KEY_${i}`, secret_value: `value: "${i}" #\n` };
    await ask('/api/secrets/lists/storm/values', JSON.stringify(value), agent);
  }
  const paths: string[] = [];
  for (let i = 0; i < MACHINES; i += 1) {
    const instance = { instance_id: `vm-${i}`, hostname: `vm-${i}`, user_data: USER_DATA };
    const { body } = await ask('/api/cloud-init/instances', JSON.stringify(instance), agent);
    paths.push(new URL(JSON.parse(body).data.seed_url).pathname);
  }
  agent.destroy();
  return paths;
}

async function boot(path: string): Promise<Answer[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const answers: Answer[] = [];
  for (const file of FILES) answers.push(await ask(path + file, undefined, agent));
  answers.push(await ask(`${path}phone-home`, '', agent));
  agent.destroy();
  return answers;
}

const directory = mkdtempSync(join(tmpdir(), 'secret-manager-bench-'));
const { PATH = '', HOME = '' } = process.env;
const server = spawn(LAUNCHER, {
  env: { PATH, HOME, PORT: String(PORT), SECRET_MANAGER_DATA_DIR: directory, SECRET_MANAGER_API_KEY: KEY },
  stdio: 'ignore',
});
try {
  while ((await ask('/readyz')).status !== 200) await sleep(20);
  const paths = await prepareSeeds();
  const startedAt = performance.now();
  const answers = (await Promise.all(paths.map(boot))).flat();
  const seconds = (performance.now() - startedAt) / 1000;
  const times = answers.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  const errors = answers.filter(({ status }) => status !== 200).length;
  const percentile = (p: number) => times[Math.floor(times.length * p)]?.toFixed(0);
  console.log(`boot storm: ${MACHINES} machines at once, ${answers.length} requests in ${seconds.toFixed(1)} s`);
  console.log(`  ${errors} errors, p50 ${percentile(0.5)} ms, p99 ${percentile(0.99)} ms`);
} finally {
  server.kill('SIGTERM');
  await once(server, 'exit');
  rmSync(directory, { recursive: true });
}
