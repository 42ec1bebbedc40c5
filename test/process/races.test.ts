// Simultaneous requests to a real server: each change happens once, wholly, or not at all.

import { join } from 'node:path';
import Database from 'better-sqlite3';
import { beforeAll, expect, test } from 'vitest';
import { QUICK_START } from '../support/program.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';

const AT_ONCE = 50;
const LISTS = '/api/secrets/lists';

let server: ServerProcess;
beforeAll(async () => {
  server = await startServerProcess(QUICK_START);
});

// biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of an answer.
type Envelope = { code: number; data: any; fields?: Record<string, string[]> };

async function ask(method: string, path: string, fields?: Record<string, string>): Promise<Envelope> {
  const response = await server.fetch(path, { method, ...(fields && { body: new URLSearchParams(fields) }) });
  const envelope = (await response.json()) as Envelope;
  expect(envelope.code).toBe(response.status);
  return envelope;
}

const newList = async (name: string): Promise<number> => (await ask('POST', LISTS, { name })).data.id;

const newValue = (list: number, secret_key: string, secret_value: string) =>
  ask('POST', `${LISTS}/${list}/values`, { secret_key, secret_value });

function atOnce<T>(count: number, work: (i: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => work(i)));
}

function countByCode(answers: readonly Envelope[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { code } of answers) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}

/** Rows as another process sees them. */
function queryDatabase(sql: string): unknown[] {
  const database = new Database(join(server.dataDirectory, 'secret-manager.db'), { readonly: true });
  try {
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}

test('of 50 simultaneous creations of one list exactly one succeeds, and the others name the field', async () => {
  const answers = await atOnce(AT_ONCE, () => ask('POST', LISTS, { name: 'contested' }));
  expect(countByCode(answers)).toEqual({ 200: 1, 422: AT_ONCE - 1 });
  for (const { code, fields } of answers) if (code === 422) expect(Object.keys(fields ?? {})).toEqual(['name']);
  const { data } = await ask('GET', LISTS);
  expect(data.filter(({ name }: { name: string }) => name === 'contested')).toHaveLength(1);
});

test('of 50 simultaneous creations of one secret key in ten lists exactly one succeeds', async () => {
  const lists = await atOnce(10, (i) => newList(`keys-${i}`));
  const answers = await atOnce(AT_ONCE, (i) => newValue(lists[i % 10] ?? 0, 'CONTESTED', `value ${i}`));
  expect(countByCode(answers)).toEqual({ 200: 1, 422: AT_ONCE - 1 });
  for (const { code, fields } of answers) if (code === 422) expect(Object.keys(fields ?? {})).toEqual(['secret_key']);
  const winner = answers.find(({ code }) => code === 200)?.data;
  const { data } = await ask('GET', '/api/secrets/all-values');
  expect(data.filter((value: { secret_key: string }) => value.secret_key === 'CONTESTED')).toEqual([winner]);
});

test('50 simultaneous updates of one value all count, each with a version and an audit event', async () => {
  const list = await newList('updated');
  const { data: created } = await newValue(list, 'UPDATED', 'first');
  const path = `${LISTS}/${list}/values/${created.id}`;
  const answers = await atOnce(AT_ONCE, (i) => ask('POST', path, { secret_value: `value ${i}` }));
  expect(countByCode(answers)).toEqual({ 200: AT_ONCE });
  answers.forEach(({ data }, i) => {
    expect(data.secret_value).toBe(`value ${i}`);
  });

  expect(queryDatabase(`SELECT version FROM secret_values WHERE id = ${created.id}`)).toEqual([
    { version: AT_ONCE + 1 },
  ]);
  const events = `SELECT request_id FROM audit_events WHERE action = 'value.update' AND target_id = ${created.id}`;
  expect(new Set(queryDatabase(events).map((row) => JSON.stringify(row))).size).toBe(AT_ONCE);
  expect((await ask('GET', path)).data.secret_value).toMatch(/^value \d+$/);
});

test('a rename and a new content at the same time both stay', async () => {
  const list = await newList('two fields');
  for (let round = 0; round < 10; round += 1) {
    const { data } = await newValue(list, `OLD_${round}`, 'old');
    const path = `${LISTS}/${list}/values/${data.id}`;
    await Promise.all([ask('POST', path, { secret_key: `NEW_${round}` }), ask('POST', path, { secret_value: 'new' })]);
    expect((await ask('GET', path)).data).toMatchObject({ secret_key: `NEW_${round}`, secret_value: 'new' });
  }
});

test('of two lists renamed to one name at the same time exactly one gets it', async () => {
  for (let round = 0; round < 10; round += 1) {
    const lists = await atOnce(2, (i) => newList(`before-${round}-${i}`));
    const answers = await Promise.all(lists.map((id) => ask('POST', `${LISTS}/${id}`, { name: `after-${round}` })));
    expect(countByCode(answers)).toEqual({ 200: 1, 422: 1 });
  }
});

test('of 20 simultaneous deletions exactly one succeeds', async () => {
  const list = await newList('deleted once');
  expect(countByCode(await atOnce(20, () => ask('DELETE', `${LISTS}/${list}`)))).toEqual({ 200: 1, 404: 19 });
});

test('a value created while its list is deleted is there with its list, or not at all', async () => {
  for (let round = 0; round < 10; round += 1) {
    const list = await newList(`deleted-${round}`);
    const keys = [0, 1, 2].map((i) => `ORPHAN_${round}_${i}`);
    const [first = '', ...others] = keys;
    expect((await newValue(list, first, 'x')).code).toBe(200);
    const creations = others.map((key) => newValue(list, key, 'x'));
    const deleted = ask('DELETE', `${LISTS}/${list}`);
    for (const { code } of await Promise.all(creations)) expect([200, 404]).toContain(code);
    expect((await deleted).code).toBe(200);
    expect((await ask('GET', `${LISTS}/${list}/values`)).code).toBe(404);
    const again = await newList(`again-${round}`);
    for (const key of keys) expect((await newValue(again, key, 'free again')).code).toBe(200);
  }
  expect(
    queryDatabase('SELECT id FROM secret_values WHERE secret_list_id NOT IN (SELECT id FROM secret_lists)'),
  ).toEqual([]);
});

test('a value updated while it is deleted stays deleted', async () => {
  const list = await newList('updated or deleted');
  for (let round = 0; round < 15; round += 1) {
    const { data } = await newValue(list, 'FLEETING', 'x');
    const path = `${LISTS}/${list}/values/${data.id}`;
    const [updated, deleted] = await Promise.all([ask('POST', path, { secret_value: 'y' }), ask('DELETE', path)]);
    expect([200, 404]).toContain(updated.code);
    expect(deleted.code).toBe(200);
    expect((await ask('GET', path)).code).toBe(404);
  }
});

test('ids are never given twice, whatever happened at the same time', () => {
  const events =
    "SELECT target_kind, target_id FROM audit_events WHERE action IN ('list.create', 'value.create') AND outcome = 'success'";
  const targets = queryDatabase(events).map((row) => JSON.stringify(row));
  expect(targets.length).toBeGreaterThan(50);
  expect(new Set(targets).size).toBe(targets.length);
});
