// Wrapped keys in SQLite, and the first start that writes them together with the first account.

import type { AccountDataKeys, KeysRepository, SystemKeyPurpose, SystemKeys, WrappedKey } from '../storage.ts';
import type { InsertAccount } from './accounts-repository.ts';
import type { InsertApiKey } from './api-keys-repository.ts';
import type { AuditWriter } from './audit-repository.ts';
import type { KeyUse } from './key-use.ts';
import { ROOT_KEYS_IN_USE } from './root-keys-repository.ts';
import type { SqliteSession } from './sqlite-session.ts';

type SystemKeyRow = WrappedKey & { readonly purpose: SystemKeyPurpose };
type DataKeyRow = WrappedKey & { readonly version: number };

const COLUMNS = 'root_key_fingerprint AS rootKeyFingerprint, wrapped_key AS wrappedKey';

export function createKeysRepository(
  session: SqliteSession,
  insertAccount: InsertAccount,
  insertApiKey: InsertApiKey,
  keyUse: KeyUse,
  audit: AuditWriter,
): KeysRepository {
  const { connection } = session;
  const selectRootKeys = connection.prepare<[], string>(ROOT_KEYS_IN_USE).pluck();
  const insertRootKey = connection.prepare<[string, string, number]>(
    'INSERT INTO root_keys (fingerprint, created_at, at_hand, wraps) VALUES (?, ?, 1, ?)',
  );
  const selectSystemKeys = connection.prepare<[], SystemKeyRow>(`SELECT purpose, ${COLUMNS} FROM system_keys`);
  const insertSystemKey = connection.prepare<[string, string, Uint8Array, string]>(
    'INSERT INTO system_keys (purpose, root_key_fingerprint, wrapped_key, created_at) VALUES (?, ?, ?, ?)',
  );
  const selectCurrentVersion = connection
    .prepare<[number], number>('SELECT data_key_version FROM accounts WHERE id = ?')
    .pluck();
  const selectDataKeys = connection.prepare<[number], DataKeyRow>(
    `SELECT version, ${COLUMNS} FROM data_keys WHERE account_id = ? ORDER BY version`,
  );

  return {
    listRootKeyFingerprints: () => session.read(() => selectRootKeys.all()),

    initialise: (firstStart, event) =>
      session.write(() => {
        const systemKeys = Object.entries(firstStart.systemKeys);
        insertRootKey.run(firstStart.rootKeyFingerprint, event.occurredAt, systemKeys.length);
        for (const [purpose, key] of systemKeys) {
          insertSystemKey.run(purpose, key.rootKeyFingerprint, key.wrappedKey, event.occurredAt);
        }
        const accountEvent = { ...event, action: 'account.create' } as const;
        const account = insertAccount(firstStart.accountName, firstStart.wrapDataKey, accountEvent);
        insertApiKey(firstStart.proveApiKey(account.id), { ...event, action: 'key.create' });
      }),

    findSystemKeys: () =>
      session.read(() => {
        const rows = selectSystemKeys.all();
        if (rows.length === 0) return undefined;
        return Object.fromEntries(rows.map((row) => [row.purpose, row])) as unknown as SystemKeys;
      }),

    addSystemKey: (purpose, { rootKeyFingerprint, wrappedKey }, event) =>
      session.write(() => {
        keyUse.countWraps(rootKeyFingerprint, 1);
        insertSystemKey.run(purpose, rootKeyFingerprint, wrappedKey, event.occurredAt);
        audit.recordSuccess(event, null);
      }),

    findDataKeys: (accountId): Promise<AccountDataKeys | undefined> =>
      session.read(() => {
        const currentVersion = selectCurrentVersion.get(accountId);
        if (currentVersion === undefined) return undefined;
        return { currentVersion, dataKeys: selectDataKeys.all(accountId) };
      }),
  };
}
