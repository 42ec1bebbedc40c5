// What a store holds, as a client sees it over the API, and its audit trail, which only the file tells.

import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { ServerProcess } from '../support/server-process.ts';
import type { ThingState } from './ledger.ts';

export interface StoredState {
  readonly things: ReadonlyMap<string, { readonly id: number; readonly state: ThingState }>;
  /** The request ids of successful changes, in the order of their commits. */
  readonly auditedRequests: readonly string[];
  /** What is wrong already without knowing what was promised. */
  readonly oddities: readonly string[];
}

export type Row = { id: number; name?: string; secret_key?: string; secret_value?: string; secret_list_id?: number };
export type Ask = (
  path: string,
) => Promise<{ readonly status: number; readonly json: { readonly data: readonly Row[] } }>;

/** Over the API of a running server. */
export async function readServerState(server: ServerProcess): Promise<StoredState> {
  return readStoredState(async (path) => {
    const response = await server.fetch(path);
    return { status: response.status, json: (await response.json()) as { data: Row[] } };
  }, server.dataDirectory);
}

/** `directory` must not be open in this process. */
export async function readStoredState(ask: Ask, directory: string): Promise<StoredState> {
  const oddities: string[] = [];
  const things = new Map<string, { id: number; state: ThingState }>();

  async function rows(path: string): Promise<readonly Row[]> {
    const { status, json } = await ask(path);
    if (status !== 200) oddities.push(`GET ${path} is answered with ${status}`);
    return json.data ?? [];
  }

  function add(id: number, state: ThingState): void {
    if (things.has(thingOf(state.name))) oddities.push(`"${state.name}" is there twice`);
    things.set(thingOf(state.name), { id, state });
  }

  const lists = await rows('/api/secrets/lists');
  const listNames = new Map(lists.map(({ id, name = '' }) => [id, thingOf(name)]));
  for (const { id, name = '' } of lists) add(id, { name });
  for (const { id, secret_key: name = '', secret_value: content = '', secret_list_id = 0 } of await rows(
    '/api/secrets/all-values',
  )) {
    add(id, { name, list: listNames.get(secret_list_id) ?? 'no list', content });
  }
  const { auditedRequests, integrity } = readFile(directory);
  if (integrity !== 'ok') oddities.push(`the database says: ${integrity}`);
  return { things, auditedRequests, oddities };
}

function readFile(directory: string): { auditedRequests: string[]; integrity: unknown } {
  const database = new Database(join(directory, 'secret-manager.db'), { readonly: true, fileMustExist: true });
  try {
    const auditedRequests = database
      .prepare<[], string>(
        `SELECT request_id FROM audit_events WHERE outcome = 'success' AND action IN
         ('list.create', 'list.update', 'list.delete', 'value.create', 'value.update', 'value.delete') ORDER BY id`,
      )
      .pluck()
      .all();
    return { auditedRequests, integrity: database.pragma('integrity_check', { simple: true }) };
  } finally {
    database.close();
  }
}

function thingOf(name: string): string {
  return name.split(' ')[0] ?? '';
}
