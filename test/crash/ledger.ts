// What a client knows of its writes: asked for, acknowledged, refused or never answered.
//
// A list is called "w0-l3 5" and a value has the key "w0-v7 2": which thing it is, and a number for this name of it.
// So a thing is known from its name alone, whatever became of it.

import type { StoredState } from './stored-state.ts';
import { judge, type Verdict } from './verdict.ts';

export interface ThingState {
  readonly name: string;
  /** Of a value: the list that it is in, and its content. */
  readonly list?: string;
  readonly content?: string;
}

export interface Change {
  readonly thing: string;
  /** null: it isn't there. */
  readonly after: ThingState | null;
}

/** One request. Of what it changes either all is done or nothing. No other one on the same thing is under way. */
export interface Operation {
  readonly description: string;
  readonly changes: readonly Change[];
  outcome: 'unanswered' | 'acknowledged' | 'refused' | 'found done' | 'found undone';
  /** Of the answer. */
  requestId: string | undefined;
}

export interface Ledger {
  readonly operations: readonly Operation[];
  /** Ids that answers told, by thing: they never change. */
  readonly ids: Map<string, number>;
  begin(description: string, changes: readonly Change[]): Operation;
  /** Compares with what is stored. `isCertain` tells what had been acknowledged; by itself, what has been by now. */
  judge(stored: StoredState, isCertain?: (operation: Operation) => boolean): Verdict;
  /** Settles what was never answered by what was found: it is the truth from now on. */
  settle(verdict: Verdict): void;
}

export function createLedger(): Ledger {
  const operations: Operation[] = [];
  const ids = new Map<string, number>();
  return {
    operations,
    ids,

    begin(description, changes) {
      const operation: Operation = { description, changes, outcome: 'unanswered', requestId: undefined };
      operations.push(operation);
      return operation;
    },

    judge(stored, isCertain = isDone) {
      const possible = operations.filter(({ outcome }) => outcome !== 'refused' && outcome !== 'found undone');
      return judge(stored, { operations: possible, ids, isCertain });
    },

    settle({ doneUnanswered }) {
      for (const operation of operations) {
        if (operation.outcome !== 'unanswered') continue;
        operation.outcome = doneUnanswered.has(operation) ? 'found done' : 'found undone';
      }
    },
  };
}

export function isDone({ outcome }: Operation): boolean {
  return outcome === 'acknowledged' || outcome === 'found done';
}
