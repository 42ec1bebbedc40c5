// The storage engines that the contract is held against. A new engine is one more entry.

import { openSqliteStorage } from '../../src/storage/sqlite/sqlite-storage.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { followTrail } from '../support/audit-trails.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

export interface Engine {
  readonly name: string;
  /** A store of its own each time: migrated, empty, not initialised. The caller closes it. */
  open(): Promise<Storage>;
}

export const engines: readonly Engine[] = [
  {
    name: 'sqlite',
    async open() {
      const options = { directory: temporaryDirectory(), mode: 'migrate', onOutcomeUnknown: () => undefined } as const;
      return followTrail(openSqliteStorage(options).storage);
    },
  },
];
