// npm run bench: requests a second of each route, side by side with the most that Fastify itself can do. Same load,
// same connections, rounds in turn, medians. Writes bench/results.json.

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { Request } from 'autocannon';
import { fillAccount, HEADERS, type MeasuredAccount } from './account.ts';
import { type Answers, fetchAnswer } from './answers.ts';
import { type Burst, burst, CONNECTIONS, type Load, median } from './load.ts';
import { type RunningServer, startCeiling, startSecretManager } from './servers.ts';

const ROUNDS = 3;
const SECONDS = 2;
const PORTS = { ours: 18_090, ceiling: 18_091, larger: 18_092 };
const REFUSED = { authorization: 'Bearer a-key-that-nobody-has-and-nobody-will-have' };
const FAILURES_UNTIL_LIMITED = 40;
const ONLY = process.argv[2];

interface Row {
  readonly route: string;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly ceilingPerSecond?: number;
  readonly ratio?: number;
  readonly bytes?: number;
}

const rows: Row[] = [];

function report(row: Row): void {
  rows.push(row);
  const { route, requestsPerSecond, p50Ms, p99Ms, ratio } = row;
  const numbers = [requestsPerSecond.toFixed(0), p50Ms.toFixed(2), p99Ms.toFixed(2), ratio?.toFixed(2) ?? '-'];
  console.log(route.padEnd(52) + numbers.map((text) => text.padStart(10)).join(''));
}

function middle(bursts: readonly Burst[]): Burst {
  return {
    requestsPerSecond: median(bursts.map(({ requestsPerSecond }) => requestsPerSecond)),
    p50Ms: median(bursts.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(bursts.map(({ p99Ms }) => p99Ms)),
  };
}

/** The ratio is the median of the rounds' ratios: what disturbs a round disturbs both of its halves. */
async function compare(route: string, load: Omit<Load, 'port'>, bytes?: number): Promise<void> {
  if (ONLY !== undefined && !route.includes(ONLY)) return;
  const ours: Burst[] = [];
  const ceilings: Burst[] = [];
  for (let i = 0; i < ROUNDS; i += 1) {
    ours.push(await burst({ ...load, port: PORTS.ours, seconds: SECONDS }));
    ceilings.push(await burst({ ...load, port: PORTS.ceiling, seconds: SECONDS }));
  }
  report({
    route,
    ...middle(ours),
    ceilingPerSecond: middle(ceilings).requestsPerSecond,
    ratio: median(ours.map((each, i) => each.requestsPerSecond / (ceilings[i]?.requestsPerSecond ?? Number.NaN))),
    ...(bytes === undefined ? {} : { bytes }),
  });
}

async function measure(route: string, load: Load): Promise<Burst | undefined> {
  if (ONLY !== undefined && !route.includes(ONLY)) return undefined;
  const bursts: Burst[] = [];
  for (let i = 0; i < ROUNDS; i += 1) bursts.push(await burst({ ...load, seconds: SECONDS }));
  report({ route, ...middle(bursts) });
  return middle(bursts);
}

function get(path: string): Request {
  return { method: 'GET', path };
}

/** A thousand of the account's values, spread over all of them. */
function sample<T>({ values }: MeasuredAccount, make: (value: MeasuredAccount['values'][number]) => T): T[] {
  const step = Math.max(1, Math.floor(values.length / 1_000));
  return values.filter((_, i) => i % step === 0).map(make);
}

function byId(account: MeasuredAccount): Request[] {
  return sample(account, ({ id, secret_list_id: list }) => get(`/api/secrets/lists/${list}/values/${id}`));
}

function byName(account: MeasuredAccount): Request[] {
  return sample(account, ({ secret_key: key, secret_list_id: list }) =>
    get(`/api/secrets/lists/${encodeURIComponent(account.listName(list))}/values/${encodeURIComponent(key)}`),
  );
}

let keysMade = 0;
function create(account: MeasuredAccount): Request {
  const list = account.values[0]?.secret_list_id;
  return {
    method: 'POST',
    path: `/api/secrets/lists/${list}/values`,
    setupRequest: (request) => {
      keysMade += 1;
      return {
        ...request,
        body: `{"secret_key":"NEW_${keysMade}","secret_value":"a new value, as long as a token is"}`,
      };
    },
  };
}

function update(account: MeasuredAccount): Request {
  const { id, secret_list_id: list } = account.values[0] ?? { id: 0, secret_list_id: 0 };
  return {
    method: 'POST',
    path: `/api/secrets/lists/${list}/values/${id}`,
    body: '{"secret_value":"another value, as long as a token is"}',
  };
}

async function sampleAnswers(account: MeasuredAccount): Promise<Answers> {
  const base = `http://127.0.0.1:${PORTS.ours}`;
  const { id, secret_list_id: list } = account.values[0] ?? { id: 0, secret_list_id: 0 };
  const ask = (path: string, headers: Record<string, string> = HEADERS) => fetchAnswer(base + path, headers);
  const allValues = await ask('/api/secrets/all-values');
  const etag = allValues.headers['etag'] ?? '';
  // Until the address has failed too often, as any that sends wrong keys at this rate has.
  for (let i = 0; i < FAILURES_UNTIL_LIMITED; i += 1) await ask('/api/secrets/lists', REFUSED);
  return {
    value: await ask(`/api/secrets/lists/${list}/values/${id}`),
    listValues: await ask(`/api/secrets/lists/${list}/values`),
    allValues,
    lists: await ask('/api/secrets/lists'),
    refused: await ask('/api/secrets/lists', REFUSED),
    notModified: await ask('/api/secrets/all-values', { ...HEADERS, 'if-none-match': etag }),
    refusedAuthorization: REFUSED.authorization,
  };
}

/** Another process that pulls all values over and over. */
async function whilePulling<T>(work: () => Promise<T>): Promise<T> {
  const puller = spawn(process.execPath, [join(import.meta.dirname, 'puller.ts'), String(PORTS.ours)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  try {
    return await work();
  } finally {
    puller.kill();
  }
}

async function measureRoutes(account: MeasuredAccount, answers: Answers): Promise<void> {
  const size = (answer: { body: unknown }) => Buffer.byteLength(JSON.stringify(answer.body));
  const read = { headers: HEADERS };
  const list = account.values[0]?.secret_list_id;
  const allValues = [get('/api/secrets/all-values')];
  await compare('one value by id', { ...read, requests: byId(account) }, size(answers.value));
  await compare('one value by names', { ...read, requests: byName(account) }, size(answers.value));
  await compare(
    "a list's 50 values",
    { ...read, requests: [get(`/api/secrets/lists/${list}/values`)] },
    size(answers.listValues),
  );
  await compare('all 1,000 values', { ...read, requests: allValues }, size(answers.allValues));
  const etag = answers.allValues.headers['etag'];
  if (etag !== undefined) {
    const headers = { ...HEADERS, 'if-none-match': etag };
    await compare('all 1,000 values, If-None-Match', { headers, requests: allValues, expectStatus: [304] }, 0);
  }
  await compare('all lists', { ...read, requests: [get('/api/secrets/lists')] }, size(answers.lists));
  await compare(
    'a refused key',
    { headers: REFUSED, requests: [get('/api/secrets/lists')], expectStatus: [401, 429] },
    size(answers.refused),
  );
  const alone = await measure('one value by id, 4 connections', {
    ...read,
    port: PORTS.ours,
    connections: 4,
    requests: byId(account),
  });
  if (alone !== undefined) {
    await whilePulling(() =>
      measure('one value by id, 4 connections, while all are pulled', {
        ...read,
        port: PORTS.ours,
        connections: 4,
        requests: byId(account),
      }),
    );
  }
  await measure('update, then all 1,000 values (both count)', {
    ...read,
    port: PORTS.ours,
    connections: 1,
    requests: [update(account), ...allValues],
  });
  await compare('update', { ...read, requests: [update(account)] }, size(answers.value));
  await compare('create', { ...read, requests: [create(account)] }, size(answers.value));
}

async function measureGrowth(ours: RunningServer, account: MeasuredAccount): Promise<void> {
  for (const count of [10_000, 100_000]) {
    if (ONLY !== undefined && !'growth'.includes(ONLY)) return;
    const larger = await startSecretManager(PORTS.larger);
    try {
      const load = { headers: HEADERS, seconds: SECONDS };
      const requests = byId(await fillAccount(PORTS.larger, count));
      const bursts: Burst[] = [];
      const ratios: number[] = [];
      for (let i = 0; i < ROUNDS; i += 1) {
        const base = await burst({ ...load, port: ours.port, requests: byId(account) });
        const grown = await burst({ ...load, port: larger.port, requests });
        bursts.push(grown);
        ratios.push(grown.requestsPerSecond / base.requestsPerSecond);
      }
      report({ route: `one value of ${count} (ratio to one of 1,000)`, ...middle(bursts), ratio: median(ratios) });
    } finally {
      await larger.stop();
    }
  }
}

console.log(`${'route'.padEnd(52)}     req/s    p50 ms    p99 ms     ratio`);
const ours = await startSecretManager(PORTS.ours);
try {
  const account = await fillAccount(PORTS.ours, 1_000);
  const answers = await sampleAnswers(account);
  const ceiling = await startCeiling(PORTS.ceiling, answers);
  try {
    await measureGrowth(ours, account);
    await measureRoutes(account, answers);
    const machine = { node: process.version, cores: cpus().length, cpu: cpus()[0]?.model ?? 'unknown' };
    const memory = { secretManagerMegabytes: ours.residentMegabytes(), ceilingMegabytes: ceiling.residentMegabytes() };
    console.log(
      `after it: ${memory.secretManagerMegabytes.toFixed(0)} MB, ceiling ${memory.ceilingMegabytes.toFixed(0)} MB`,
    );
    const results = { measuredAt: new Date().toISOString(), machine, connections: CONNECTIONS, memory, rows };
    if (ONLY === undefined)
      writeFileSync(join(import.meta.dirname, '../results.json'), `${JSON.stringify(results, null, 2)}\n`);
  } finally {
    await ceiling.stop();
  }
} finally {
  await ours.stop();
}
