// The root keys at hand. The first wraps whatever is new; the others only unwrap what is still under them.

import type { RootKey } from './root-key.ts';

export interface RootKeys {
  readonly current: RootKey;
  /** The current one first. */
  readonly all: readonly RootKey[];
  find(fingerprint: string): RootKey | undefined;
  /**
   * Reads them again where they came from, if that can change while a process runs; one that is gone there is kept.
   * Throws OperatorError when what is there can't be used: then all stays as it was.
   */
  readAgain(): void;
}

/** `read` gives the keys as they are now, or undefined where they can't change. */
export function createRootKeys(
  keys: readonly [RootKey, ...RootKey[]],
  read: () => readonly [RootKey, ...RootKey[]] | undefined,
): RootKeys {
  let all = keys;
  const find = (fingerprint: string) => all.find((key) => key.fingerprint === fingerprint);

  return {
    get current() {
      return all[0];
    },
    get all() {
      return all;
    },
    find,
    readAgain() {
      const now = read();
      if (now === undefined) return;
      const gone = all.filter((key) => !now.some(({ fingerprint }) => fingerprint === key.fingerprint));
      all = [...now, ...gone];
    },
  };
}
