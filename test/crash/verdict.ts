// What a store must hold after a crash, may hold, and must not hold, given what its clients know.

import type { Operation, ThingState } from './ledger.ts';
import type { StoredState } from './stored-state.ts';

export interface Verdict {
  /** One sentence each; empty when all is as promised. */
  readonly faults: readonly string[];
  /** How many acknowledged operations are not to be seen where they must be. */
  readonly lost: number;
  /** The operations without an answer that are done all the same. */
  readonly doneUnanswered: ReadonlySet<Operation>;
}

export interface Promises {
  /** In the order in which clients asked; those that were refused are left out. */
  readonly operations: readonly Operation[];
  readonly ids: ReadonlyMap<string, number>;
  isCertain(operation: Operation): boolean;
}

interface Expectation {
  readonly state: ThingState | null;
  /** The operation that made it so. */
  readonly by?: Operation | undefined;
  /** The one operation that may have changed it since, and to what. */
  readonly doubt?: { readonly operation: Operation; readonly state: ThingState | null } | undefined;
}

export function judge(stored: StoredState, promises: Promises): Verdict {
  const expected = expectations(promises);
  const { faults, lost, doneUnanswered } = compareThings(stored, expected);
  const all = [
    ...stored.oddities,
    ...faults,
    ...strangers(stored, expected, promises.ids),
    ...auditFaults(stored, promises, doneUnanswered),
  ];
  return { faults: all, lost, doneUnanswered };
}

function expectations({ operations, isCertain }: Promises): Map<string, Expectation> {
  const expected = new Map<string, Expectation>();
  for (const operation of operations) {
    const isSure = isCertain(operation);
    for (const { thing, after } of operation.changes) {
      const known = expected.get(thing) ?? { state: null };
      // Behind one in doubt none was sent yet: a client goes on only once it has its answer.
      if (known.doubt !== undefined) continue;
      if (isSure) expected.set(thing, { state: after, by: operation });
      else expected.set(thing, { ...known, doubt: { operation, state: after } });
    }
  }
  return expected;
}

function compareThings(stored: StoredState, expected: ReadonlyMap<string, Expectation>) {
  const faults: string[] = [];
  const lost = new Set<Operation>();
  const done = new Set<Operation>();
  const undone = new Set<Operation>();
  for (const [thing, expectation] of expected) {
    const { state, by, doubt } = expectation;
    const actual = stored.things.get(thing)?.state ?? null;
    const looks = lookOf(actual, expectation);
    if (looks === 'wrong') {
      faults.push(`${thing} is ${show(actual)} instead of ${show(state)}${doubt ? ` or ${show(doubt.state)}` : ''}`);
      if (by !== undefined) lost.add(by);
    } else if (doubt !== undefined) (looks === 'done' ? done : undone).add(doubt.operation);
  }
  const halves = [...done].filter((operation) => undone.has(operation));
  faults.push(...halves.map(({ description }) => `half done: ${description}`));
  return { faults, lost: lost.size, doneUnanswered: done };
}

/** Whether what is in doubt was done, as far as this thing tells. */
function lookOf(actual: ThingState | null, { state, doubt }: Expectation): 'done' | 'undone' | 'wrong' {
  if (doubt !== undefined && isSame(actual, doubt.state)) return 'done';
  return isSame(actual, state) ? 'undone' : 'wrong';
}

function strangers(
  { things }: StoredState,
  expected: ReadonlyMap<string, Expectation>,
  ids: ReadonlyMap<string, number>,
): string[] {
  const faults: string[] = [];
  for (const [thing, { id, state }] of things) {
    if (!expected.has(thing)) faults.push(`nobody asked for ${show(state)}`);
    const known = ids.get(thing) ?? id;
    if (known !== id) faults.push(`${thing} has the id ${id} instead of ${known}`);
  }
  return faults;
}

/** Each change has its one audit event, and no event is without its change. */
function auditFaults(
  { auditedRequests }: StoredState,
  { operations, isCertain }: Promises,
  doneUnanswered: ReadonlySet<Operation>,
): string[] {
  const audited = new Set(auditedRequests);
  const certain = operations.filter(isCertain);
  const faults = certain
    .filter(({ requestId }) => requestId !== undefined && !audited.has(requestId))
    .map(({ description }) => `without an audit event: ${description}`);
  if (audited.size !== auditedRequests.length) faults.push('a request has two audit events');
  const changes = certain.length + doneUnanswered.size;
  if (auditedRequests.length !== changes) faults.push(`${auditedRequests.length} audit events of ${changes} changes`);
  return faults;
}

function isSame(a: ThingState | null, b: ThingState | null): boolean {
  if (a === null || b === null) return a === b;
  return a.name === b.name && a.list === b.list && a.content === b.content;
}

function show(state: ThingState | null): string {
  if (state === null) return 'absent';
  const { name, list, content } = state;
  return content === undefined ? `"${name}"` : `"${name}" in ${list} (${content.length}: ${content.slice(0, 24)})`;
}
