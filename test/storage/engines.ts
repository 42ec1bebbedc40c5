// The storage engines that the contract is held against. A new engine is one more entry.

import type { Quotas } from '../../src/domain/limits.ts';
import { openSqliteStorage } from '../../src/storage/sqlite/sqlite-storage.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { followTrail } from '../support/audit-trails.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

export interface Engine {
  readonly name: string;
  /** A store of its own each time: migrated, empty, not initialised. The caller closes it. */
  open(quotas?: Quotas): Promise<OpenedStore>;
}

export interface OpenedStore {
  readonly storage: Storage;
  /** The same store as another process sees it, beside the first. */
  openAgain(): Promise<Storage>;
}

export const engines: readonly Engine[] = [
  {
    name: 'sqlite',
    async open(quotas) {
      const options = {
        directory: temporaryDirectory(),
        ...(quotas === undefined ? {} : { quotas }),
        onOutcomeUnknown: () => undefined,
      };
      return {
        storage: followTrail(openSqliteStorage({ ...options, mode: 'migrate' }).storage),
        openAgain: async () => followTrail(openSqliteStorage({ ...options, mode: 'existing' }).storage),
      };
    },
  },
];
