// API tests as tables: as whom, method and path, body, status, what must and must not appear in the answer.

import { expect, test } from 'vitest';
import type { Answer, TestServer } from '../support/test-server.ts';
import { expectFailure, expectSuccess, FORM } from './api-answers.ts';

/** `reader` and `writer` share an account, `stranger` writes in another one, `nobody` sends no key. */
export type Person = 'writer' | 'reader' | 'stranger' | 'nobody';

/**
 * The writer's account has the list `production` with API_KEY = "plain-1" and "DB PASSWORD" = "plain-2", and the list
 * `staging` with DEBUG = ""; the stranger's has the list `theirs` with THEIR_KEY = "plain-3".
 */
export interface Stage {
  readonly server: TestServer;
  /** The name of the writer's account. */
  readonly account: string;
  readonly tokens: Readonly<Record<Person, string | null>>;
  /** By list name, secret key or instance id. */
  readonly ids: Readonly<Record<string, number>>;
}

export interface Row {
  readonly it: string;
  /** `writer` when absent. */
  readonly as?: Person;
  /** Method and path; `{production}` is that thing's id. */
  readonly send: string;
  readonly body?: unknown;
  /** Sent as a form instead. */
  readonly form?: Record<string, string>;
  readonly status: number;
  /** What `data` matches. */
  readonly data?: unknown;
  /** The fields that a 422 is about, all of them. */
  readonly fields?: readonly string[];
  readonly hides?: readonly string[];
}

const VALUES = [
  { list: 'production', key: 'API_KEY', value: 'plain-1', owner: 'writer' },
  { list: 'production', key: 'DB PASSWORD', value: 'plain-2', owner: 'writer' },
  { list: 'staging', key: 'DEBUG', value: '', owner: 'writer' },
  { list: 'theirs', key: 'THEIR_KEY', value: 'plain-3', owner: 'stranger' },
] as const;
const LISTS = [
  { name: 'production', owner: 'writer' },
  { name: 'staging', owner: 'writer' },
  { name: 'theirs', owner: 'stranger' },
] as const;
const INSTANCES = [
  { name: 'web-1', owner: 'writer' },
  { name: 'their-machine', owner: 'stranger' },
] as const;

let stages = 0;

/** Two accounts of their own on the given server. */
export async function setStage(server: TestServer): Promise<Stage> {
  stages += 1;
  const account = `ours-${stages}`;
  const [writer, reader, stranger] = [
    await server.newKey(account),
    await server.newKey(account, 'read'),
    await server.newKey(`others-${stages}`),
  ];
  const tokens = { writer: writer.token, reader: reader.token, stranger: stranger.token, nobody: null };
  const ids: Record<string, number> = {};
  for (const { name, owner } of LISTS) {
    const created = await server.request('POST', '/api/secrets/lists', { token: tokens[owner], body: { name } });
    ids[name] = created.json.data.id;
  }
  for (const { list, key, value, owner } of VALUES) {
    const created = await server.request('POST', `/api/secrets/lists/${list}/values`, {
      token: tokens[owner],
      body: { secret_key: key, secret_value: value },
    });
    ids[key] = created.json.data.id;
  }
  return { server, account, tokens, ids };
}

/** Adds an instance to each account: `web-1`, and the stranger's `their-machine`. The server has a public URL. */
export async function withInstances(stage: Stage): Promise<Stage> {
  const ids = { ...stage.ids };
  for (const { name, owner } of INSTANCES) {
    const created = await stage.server.request('POST', '/api/cloud-init/instances', {
      token: stage.tokens[owner],
      body: { instance_id: name, hostname: name, user_data: '#cloud-config\n{}\n' },
    });
    ids[name] = created.json.data.id;
  }
  return { ...stage, ids };
}

/** Everything that the writer's account holds, as it stands; with `who`, another person's account. */
export async function everything({ server, tokens }: Stage, who: Person = 'writer'): Promise<unknown> {
  const token = tokens[who];
  const lists = await server.request('GET', '/api/secrets/lists', { token });
  const values = await server.request('GET', '/api/secrets/all-values', { token });
  const instances = await server.request('GET', '/api/cloud-init/instances', { token });
  return { lists: lists.json.data, values: values.json.data, instances: instances.json.data };
}

/** One test for each row, in order, on one stage. */
export function testRows(stage: () => Stage, rows: readonly Row[]): void {
  for (const row of rows) {
    test(row.it, async () => {
      const answer = await send(stage(), row);
      if (row.status === 200) {
        const data = expectSuccess(answer);
        if ('data' in row) expectData(data, row.data);
      } else {
        expectFailure(answer, row.status, row.fields);
      }
      for (const text of row.hides ?? []) expect(answer.text).not.toContain(text);
    });
  }
}

function send({ server, tokens, ids }: Stage, row: Row): Promise<Answer> {
  const method = row.send.slice(0, row.send.indexOf(' '));
  const template = row.send.slice(method.length + 1);
  const url = template.replace(/\{([^}]+)\}/g, (_, name) => String(ids[name]));
  const token = tokens[row.as ?? 'writer'];
  if (row.form === undefined) return server.request(method, url, { token, body: row.body });
  return server.request(method, url, { token, headers: FORM, body: new URLSearchParams(row.form).toString() });
}

function expectData(data: unknown, expected: unknown): void {
  if (typeof expected === 'object' && expected !== null) expect(data).toMatchObject(expected);
  else expect(data).toEqual(expected);
}
