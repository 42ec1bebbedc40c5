// Root keys in SQLite: which there are, what they wrap, and wrapping it again under another.

import type { AuditTarget } from '../../domain/audit-events.ts';
import type { KeyRotationRepository, StoredRootKey, StoredWrappedKey } from '../key-rotation.ts';
import type { SystemKeyPurpose, WrappedKey } from '../storage.ts';
import type { AuditWriter } from './audit-repository.ts';
import type { KeyUse } from './key-use.ts';
import type { SqliteSession } from './sqlite-session.ts';

type RootKeyRow = Omit<StoredRootKey, 'isAtHand'> & { readonly atHand: number };
type SystemKeyRow = WrappedKey & { readonly purpose: SystemKeyPurpose };
type DataKeyRow = WrappedKey & { readonly accountId: number; readonly version: number };
type RootKeysRepository = Pick<
  KeyRotationRepository,
  'listRootKeys' | 'listRootKeysNotAtHand' | 'holdRootKeys' | 'registerRootKey' | 'rewrap' | 'dropRootKey'
>;

const COLUMNS = 'root_key_fingerprint AS rootKeyFingerprint, wrapped_key AS wrappedKey';
const WRAPPED_KEYS = `(SELECT count(*) FROM system_keys WHERE root_key_fingerprint = fingerprint)
  + (SELECT count(*) FROM data_keys WHERE root_key_fingerprint = fingerprint)`;
const TARGET_DIGITS = 12;

/** The root keys that wrap something, in the order of their making. */
export const ROOT_KEYS_IN_USE = `SELECT fingerprint FROM root_keys WHERE ${WRAPPED_KEYS} > 0
  ORDER BY created_at, fingerprint`;

export function createRootKeysRepository(
  session: SqliteSession,
  keyUse: KeyUse,
  audit: AuditWriter,
): RootKeysRepository {
  const { connection } = session;
  const selectAll = connection.prepare<[], RootKeyRow>(
    `SELECT fingerprint, created_at AS createdAt, at_hand AS atHand, wraps, ${WRAPPED_KEYS} AS wrappedKeys
     FROM root_keys ORDER BY created_at, fingerprint`,
  );
  const selectInUse = connection.prepare<[], string>(ROOT_KEYS_IN_USE).pluck();
  const selectNotAtHand = connection.prepare<[], string>('SELECT fingerprint FROM root_keys WHERE at_hand = 0').pluck();
  const selectWrappedKeys = connection
    .prepare<[string], number>(`SELECT ${WRAPPED_KEYS} FROM root_keys WHERE fingerprint = ?`)
    .pluck();
  const register = connection.prepare<[string, string]>(
    'INSERT INTO root_keys (fingerprint, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING',
  );
  const setAtHand = connection.prepare<[number, string]>('UPDATE root_keys SET at_hand = ? WHERE fingerprint = ?');
  const remove = connection.prepare<[string]>('DELETE FROM root_keys WHERE fingerprint = ?');
  const selectSystemKeys = connection.prepare<[string, number], SystemKeyRow>(
    `SELECT purpose, ${COLUMNS} FROM system_keys WHERE root_key_fingerprint <> ? LIMIT ?`,
  );
  const selectDataKeys = connection.prepare<[string, string, number], DataKeyRow>(
    `SELECT account_id AS accountId, version, ${COLUMNS} FROM data_keys
     WHERE root_key_fingerprint < ? OR root_key_fingerprint > ? LIMIT ?`,
  );
  const updateSystemKey = connection.prepare<[string, Uint8Array, string]>(
    'UPDATE system_keys SET root_key_fingerprint = ?, wrapped_key = ? WHERE purpose = ?',
  );
  const updateDataKey = connection.prepare<[string, Uint8Array, number, number]>(
    'UPDATE data_keys SET root_key_fingerprint = ?, wrapped_key = ? WHERE account_id = ? AND version = ?',
  );

  function selectWrappedByOthers(fingerprint: string, maxKeys: number): StoredWrappedKey[] {
    const systemKeys = selectSystemKeys.all(fingerprint, maxKeys);
    const dataKeys = selectDataKeys.all(fingerprint, fingerprint, maxKeys - systemKeys.length);
    return [...systemKeys, ...dataKeys.map((key) => ({ ...key, purpose: 'data' as const }))];
  }

  function store(key: StoredWrappedKey, fingerprint: string, wrappedKey: Uint8Array): void {
    if (key.purpose === 'data') updateDataKey.run(fingerprint, wrappedKey, key.accountId, key.version);
    else updateSystemKey.run(fingerprint, wrappedKey, key.purpose);
  }

  return {
    listRootKeys: () =>
      session.read(() => selectAll.all().map(({ atHand, ...key }) => ({ ...key, isAtHand: atHand === 1 }))),

    listRootKeysNotAtHand: () => session.read(() => selectNotAtHand.all()),

    holdRootKeys: (fingerprints, at) =>
      session.write(() => {
        const missing = selectInUse.all().filter((fingerprint) => !fingerprints.includes(fingerprint));
        const [first] = fingerprints;
        if (missing.length > 0 || first === undefined) return missing;
        register.run(first, at);
        for (const { fingerprint, atHand } of selectAll.all()) {
          const isHeld = fingerprints.includes(fingerprint) ? 1 : 0;
          if (isHeld !== atHand) setAtHand.run(isHeld, fingerprint);
        }
        return [];
      }),

    registerRootKey: (fingerprint, at) => session.write(() => void register.run(fingerprint, at)),

    rewrap: (fingerprint, maxKeys, wrapAgain, event) =>
      session.write(() => {
        if (selectNotAtHand.all().includes(fingerprint)) return undefined;
        const keys = selectWrappedByOthers(fingerprint, maxKeys);
        if (keys.length === 0) return 0;
        keyUse.countWraps(fingerprint, keys.length);
        for (const key of keys) store(key, fingerprint, wrapAgain(key));
        audit.recordSuccess(event, targetOf(fingerprint));
        return keys.length;
      }),

    dropRootKey: (fingerprint, event) =>
      session.write(() => {
        const wrappedKeys = selectWrappedKeys.get(fingerprint);
        if (wrappedKeys === undefined) return 'unknown';
        if (wrappedKeys > 0) return 'in use';
        remove.run(fingerprint);
        audit.recordSuccess(event, targetOf(fingerprint));
        return 'dropped';
      }),
  };
}

function targetOf(fingerprint: string): AuditTarget {
  return { kind: 'root-key', id: Number.parseInt(fingerprint.slice(0, TARGET_DIGITS), 16), parentId: null };
}
