// Clients that write all at once: lists and values are created, renamed, changed and deleted on several connections,
// in bursts that arrive together. Each client has things of its own, so what it must find there it alone decides.

import type { Change, Ledger, Operation, ThingState } from './ledger.ts';
import type { Random } from './seeded-random.ts';

const LISTS = '/api/secrets/lists';
const MOST_IN_A_BURST = 5;
const MOST_LISTS = 3;
/** Above that, deletions come first: what is there must be read again after each crash. */
const MOST_VALUES = 24;

export interface WritableServer {
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

export interface LoadOptions {
  readonly ledger: Ledger;
  readonly random: Random;
  readonly clients: number;
  /** After how many operations each client stops by itself; it always stops when the server is gone. */
  readonly stepsEach?: number;
  /** What a refusal means: that nothing was done, or that nobody knows. */
  readonly refusalMeans?: 'refused' | 'unanswered';
  onAnswer?(status: number): void;
}

interface ValueAtClient {
  readonly thing: string;
  readonly list: string;
  readonly name: string;
  readonly content: string;
}

interface Wish {
  readonly method: 'POST' | 'DELETE';
  readonly path: string;
  readonly fields?: Record<string, string>;
  readonly changes: readonly Change[];
}

/** Resolves when every client has stopped. A client whose request had no answer, or a refusal, starts no other one. */
export async function runWriteLoad(server: WritableServer, options: LoadOptions): Promise<void> {
  const clients = Array.from({ length: options.clients }, (_, i) => createClient(server, options, `w${i}`));
  await Promise.all(clients.map((client) => client.run()));
}

function createClient(server: WritableServer, options: LoadOptions, prefix: string) {
  const { ledger, random } = options;
  const lists = new Map<string, string>();
  const values = new Map<string, ValueAtClient>();
  /** Names and things are never used again, by no run. */
  const counter = () => ledger.operations.length;
  let isStopped = false;

  for (const { outcome, changes } of ledger.operations) {
    if (outcome === 'acknowledged' || outcome === 'found done') changes.forEach(remember);
  }

  function remember({ thing, after }: Change): void {
    if (!thing.startsWith(`${prefix}-`)) return;
    const { list, name = '', content } = after ?? {};
    if (after === null) {
      lists.delete(thing);
      values.delete(thing);
    } else if (list === undefined || content === undefined) lists.set(thing, name);
    else values.set(thing, { thing, list, name, content });
  }

  const pathOfList = (list: string) => `${LISTS}/${ledger.ids.get(list) ?? encodeURIComponent(lists.get(list) ?? '')}`;
  const pathOfValue = (value: ValueAtClient) =>
    `${pathOfList(value.list)}/values/${ledger.ids.get(value.thing) ?? encodeURIComponent(value.name)}`;
  const nextName = (thing: string) => `${thing} ${counter()}`;

  function createList(): Wish {
    const name = nextName(`${prefix}-l${counter()}`);
    return { method: 'POST', path: LISTS, fields: { name }, changes: [changeTo({ name })] };
  }

  function renameList(list: string): Wish {
    const name = nextName(list);
    return { method: 'POST', path: pathOfList(list), fields: { name }, changes: [changeTo({ name })] };
  }

  /** Its values go with it, all of them or none. */
  function deleteList(list: string): Wish {
    const inside = [...values.values()].filter((value) => value.list === list).map(({ thing }) => thing);
    const changes = [list, ...inside].map((thing) => ({ thing, after: null }));
    return { method: 'DELETE', path: pathOfList(list), changes };
  }

  function createValue(i: number): Wish {
    const list = random.pick([...lists.keys()]);
    const name = nextName(`${prefix}-v${counter()}-${i}`);
    const content = newContent();
    const fields = { secret_key: name, secret_value: content };
    return { method: 'POST', path: `${pathOfList(list)}/values`, fields, changes: [changeTo({ name, list, content })] };
  }

  function changeValue(value: ValueAtClient): Wish {
    const { thing, list } = value;
    const kind = random.below(10);
    if (kind < 3) return { method: 'DELETE', path: pathOfValue(value), changes: [{ thing, after: null }] };
    const name = kind < 5 ? nextName(thing) : value.name;
    const content = kind === 3 ? value.content : newContent();
    const fields = {
      ...(name === value.name ? {} : { secret_key: name }),
      ...(content === value.content ? {} : { secret_value: content }),
    };
    return { method: 'POST', path: pathOfValue(value), fields, changes: [changeTo({ name, list, content })] };
  }

  /** Most fit into a page of the database, some take many. */
  function newContent(): string {
    const length = random.pick([0, 20, 60, 100, 200, 3_000, 5_000, random.below(30_000)]);
    return `${counter()}.${random.below(1e6)} `.padEnd(length, `content ${counter()} `);
  }

  async function ask({ method, path, fields, changes }: Wish): Promise<void> {
    const names = changes.map(({ thing, after }) => after?.name ?? `no ${thing}`).join(', ');
    const operation = ledger.begin(`${method} ${path}: ${names}`, changes);
    let response: Response;
    let text: string;
    try {
      const body = fields === undefined ? null : new URLSearchParams(fields);
      response = await server.fetch(path, { method, body });
      text = await response.text();
    } catch (error) {
      // The connection was cut; anything else is a mistake of this test.
      if (!(error instanceof TypeError)) throw error;
      isStopped = true;
      return;
    }
    settle(operation, response, text);
  }

  function settle(operation: Operation, { status, headers }: Response, text: string): void {
    options.onAnswer?.(status);
    operation.requestId = headers.get('x-request-id') ?? undefined;
    if (status === 200) {
      operation.outcome = 'acknowledged';
      operation.changes.forEach(remember);
      const id = (JSON.parse(text) as { data: { id: number } | null }).data?.id;
      const [first] = operation.changes;
      if (id !== undefined && first !== undefined) ledger.ids.set(first.thing, id);
      return;
    }
    if (status !== 503 && status !== 507)
      throw new Error(`${operation.description} is answered with ${status}: ${text}`);
    operation.outcome = options.refusalMeans ?? 'refused';
    isStopped = true;
  }

  /** What changes a whole list goes alone; values go together, each in one request at a time. */
  function nextBurst(): Wish[] {
    const kind = random.below(40);
    if (lists.size === 0 || (kind === 0 && lists.size < MOST_LISTS)) return [createList()];
    if (kind < 3) return [renameList(random.pick([...lists.keys()]))];
    if (kind < 5 && lists.size > 1) return [deleteList(random.pick([...lists.keys()]))];
    const free = [...values.values()];
    return Array.from({ length: 1 + random.below(MOST_IN_A_BURST) }, (_, i) => {
      const isToCreate = free.length === 0 || (values.size < MOST_VALUES && random.chance(0.45));
      if (isToCreate) return createValue(i);
      const [value] = free.splice(random.below(free.length), 1);
      return changeValue(value as ValueAtClient);
    });
  }

  return {
    async run(): Promise<void> {
      for (let step = 0; step < (options.stepsEach ?? Number.POSITIVE_INFINITY) && !isStopped; step += 1) {
        await Promise.all(nextBurst().map(ask));
      }
    },
  };
}

function changeTo(after: ThingState): Change {
  return { thing: after.name.split(' ')[0] ?? '', after };
}
