// The tests of crashes see nothing unless their ledger does: each kind of fault is noticed.

import { expect, test } from 'vitest';
import { createLedger, type ThingState } from './ledger.ts';
import type { StoredState } from './stored-state.ts';

const LIST = { name: 'w0-l0 0' };
const VALUE = { name: 'w0-v1 1', list: 'w0-l0', content: 'one' };

function stored(states: Record<string, ThingState>, auditedRequests: string[], ids = [1, 2]): StoredState {
  const things = Object.entries(states).map(([thing, state], i) => [thing, { id: ids[i] ?? 0, state }] as const);
  return { things: new Map(things), auditedRequests, oddities: [] };
}

/** A list and a value that were acknowledged, and then what is passed, which wasn't. */
function ledgerWith(...doubts: (ThingState | null)[]) {
  const ledger = createLedger();
  const acknowledge = (thing: string, after: ThingState, requestId: string) =>
    Object.assign(ledger.begin(`create ${thing}`, [{ thing, after }]), { outcome: 'acknowledged', requestId });
  acknowledge('w0-l0', LIST, 'a');
  acknowledge('w0-v1', VALUE, 'b');
  ledger.ids.set('w0-l0', 1).set('w0-v1', 2);
  for (const after of doubts) ledger.begin('doubted', [{ thing: 'w0-v1', after }]);
  return ledger;
}

const faultsOf = (ledger: ReturnType<typeof ledgerWith>, state: StoredState) => ledger.judge(state).faults;
const BOTH = { 'w0-l0': LIST, 'w0-v1': VALUE };

test('what was acknowledged is fine as it was', () => {
  expect(faultsOf(ledgerWith(), stored(BOTH, ['a', 'b']))).toEqual([]);
});

test.each<[string, StoredState]>([
  ['that is gone', stored({ 'w0-l0': LIST }, ['a', 'b'])],
  ['in another list', stored({ ...BOTH, 'w0-v1': { ...VALUE, list: 'w0-l9' } }, ['a', 'b'])],
  ['with another content', stored({ ...BOTH, 'w0-v1': { ...VALUE, content: 'two' } }, ['a', 'b'])],
  ['with another name', stored({ ...BOTH, 'w0-v1': { ...VALUE, name: 'w0-v1 9' } }, ['a', 'b'])],
  ['with another id', stored(BOTH, ['a', 'b'], [1, 3])],
  ['beside one that nobody asked for', stored({ ...BOTH, 'w0-v5': VALUE }, ['a', 'b'])],
  ['without its audit event', stored(BOTH, ['a', 'c'])],
  ['with too few audit events', stored(BOTH, ['a'])],
  ['with two audit events', stored(BOTH, ['a', 'b', 'b'])],
])('a value %s is a fault', (_, state) => {
  expect(faultsOf(ledgerWith(), state)).not.toEqual([]);
});

test('what was never answered may be done or not, and nothing else', () => {
  const changed = { ...VALUE, content: 'two' };
  expect(faultsOf(ledgerWith(changed), stored(BOTH, ['a', 'b']))).toEqual([]);
  expect(faultsOf(ledgerWith(changed), stored({ ...BOTH, 'w0-v1': changed }, ['a', 'b', 'c']))).toEqual([]);
  expect(faultsOf(ledgerWith(changed), stored({ ...BOTH, 'w0-v1': changed }, ['a', 'b']))).not.toEqual([]);
  expect(faultsOf(ledgerWith(changed), stored({ 'w0-l0': LIST }, ['a', 'b']))).not.toEqual([]);
});

test('what was refused must not be done', () => {
  const ledger = ledgerWith(null);
  for (const operation of ledger.operations) if (operation.outcome === 'unanswered') operation.outcome = 'refused';
  expect(faultsOf(ledger, stored(BOTH, ['a', 'b']))).toEqual([]);
  expect(faultsOf(ledger, stored({ 'w0-l0': LIST }, ['a', 'b', 'c']))).not.toEqual([]);
});

test('a deletion of a list that leaves its values is half done', () => {
  const ledger = ledgerWith();
  ledger.begin('delete', [
    { thing: 'w0-l0', after: null },
    { thing: 'w0-v1', after: null },
  ]);
  expect(faultsOf(ledger, stored({}, ['a', 'b', 'c']))).toEqual([]);
  expect(faultsOf(ledger, stored({ 'w0-v1': VALUE }, ['a', 'b', 'c'], [2]))).toEqual(['half done: delete']);
});

test('what was found after a crash is the truth from then on', () => {
  const ledger = ledgerWith(null);
  ledger.settle(ledger.judge(stored({ 'w0-l0': LIST }, ['a', 'b', 'c'])));
  expect(faultsOf(ledger, stored({ 'w0-l0': LIST }, ['a', 'b', 'c']))).toEqual([]);
  expect(faultsOf(ledger, stored(BOTH, ['a', 'b']))).not.toEqual([]);
});
