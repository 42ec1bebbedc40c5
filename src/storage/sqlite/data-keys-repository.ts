// Data keys in SQLite: which there are, a new one beside them, and sealing again what is under an old one. A step is
// bounded in rows and bytes, so that the lock is held for some milliseconds.

import type { SealedSecretValue } from '../../domain/secrets.ts';
import type {
  KeyRotationRepository,
  ResealedBatch,
  ResealStep,
  StoredDataKey,
  StoredTemplate,
} from '../key-rotation.ts';
import type { AuditWriter } from './audit-repository.ts';
import type { KeyUse } from './key-use.ts';
import type { SqliteSession } from './sqlite-session.ts';
import { VALUE_COLUMNS } from './values-repository.ts';

type DataKeyRow = Omit<StoredDataKey, 'isCurrent'> & { readonly isCurrent: number };
type DataKeysRepository = Pick<
  KeyRotationRepository,
  'listDataKeys' | 'addDataKey' | 'resealValues' | 'resealTemplates' | 'deleteUnusedDataKeys'
>;

interface Candidate {
  readonly id: number;
  /** null where there is nothing to seal again. */
  readonly bytes: number | null;
}

const MAX_ROWS = 100;
const MAX_BYTES = 1_048_576;

export function createDataKeysRepository(
  session: SqliteSession,
  keyUse: KeyUse,
  audit: AuditWriter,
): DataKeysRepository {
  const { connection } = session;
  const selectAll = connection.prepare<[number | null], DataKeyRow>(
    `SELECT account_id AS accountId, version, version = accounts.data_key_version AS isCurrent,
       root_key_fingerprint AS rootKeyFingerprint, data_keys.created_at AS createdAt, seals,
       (SELECT count(*) FROM secret_values AS used
        WHERE used.account_id = data_keys.account_id AND used.data_key_version = data_keys.version) AS "values",
       (SELECT count(*) FROM instances AS used
        WHERE used.account_id = data_keys.account_id AND used.data_key_version = data_keys.version) AS instances
     FROM data_keys JOIN accounts ON accounts.id = account_id
     WHERE account_id = ifnull(?, account_id) ORDER BY account_id, version`,
  );
  const selectCurrent = connection
    .prepare<[number], number>('SELECT data_key_version FROM accounts WHERE id = ?')
    .pluck();
  const insert = connection.prepare<[number, number, string, Uint8Array, string]>(
    'INSERT INTO data_keys (account_id, version, root_key_fingerprint, wrapped_key, created_at) VALUES (?, ?, ?, ?, ?)',
  );
  const setCurrent = connection.prepare<[number, number]>('UPDATE accounts SET data_key_version = ? WHERE id = ?');
  const removeUnused = connection
    .prepare<[number], number>(
      `DELETE FROM data_keys WHERE account_id = ?
         AND version < (SELECT data_key_version FROM accounts WHERE id = account_id)
         AND NOT EXISTS (SELECT 1 FROM secret_values AS used
           WHERE used.account_id = data_keys.account_id AND used.data_key_version = data_keys.version)
         AND NOT EXISTS (SELECT 1 FROM instances AS used
           WHERE used.account_id = data_keys.account_id AND used.data_key_version = data_keys.version)
       RETURNING version`,
    )
    .pluck();
  const selectOldValues = prepareSelectOld('secret_values', 'sealed_value');
  const selectValue = connection.prepare<[number], SealedSecretValue>(
    `SELECT ${VALUE_COLUMNS} FROM secret_values WHERE id = ?`,
  );
  const updateValue = connection.prepare<[Uint8Array, number, number]>(
    'UPDATE secret_values SET sealed_value = ?, data_key_version = ? WHERE id = ?',
  );
  const selectOldTemplates = prepareSelectOld('instances', 'sealed_template');
  const selectTemplate = connection.prepare<[number], StoredTemplate>(
    `SELECT id, account_id AS accountId, instance_id AS instanceId, hostname, expires_in_seconds AS expiresInSeconds,
       source_cidr AS sourceCidr, sealed_template AS sealedTemplate, data_key_version AS dataKeyVersion
     FROM instances WHERE id = ?`,
  );
  const updateTemplate = connection.prepare<[Uint8Array | null, number, number]>(
    'UPDATE instances SET sealed_template = ?, data_key_version = ? WHERE id = ?',
  );

  function prepareSelectOld(table: string, blob: string) {
    return connection.prepare<[number, number, number], Candidate>(
      `SELECT id, length(${blob}) AS bytes FROM ${table}
       WHERE account_id = ? AND data_key_version = ? AND id > ? ORDER BY id LIMIT ${MAX_ROWS}`,
    );
  }

  /** `resealOne` is false for what does not open. */
  function resealEach(
    { accountId, to }: ResealStep,
    candidates: readonly Candidate[],
    resealOne: (id: number) => boolean,
  ): ResealedBatch {
    const chosen = withinBytes(candidates);
    if (chosen.length === 0) return { resealed: 0, broken: 0, lastId: undefined };
    let broken = 0;
    let resealed = 0;
    for (const { id, bytes } of chosen) {
      if (bytes === null) updateTemplate.run(null, to, id);
      else if (resealOne(id)) resealed += 1;
      else broken += 1;
    }
    keyUse.countSeals(accountId, to, resealed);
    return { resealed, broken, lastId: chosen.at(-1)?.id };
  }

  return {
    listDataKeys: (accountId) =>
      session.read(() =>
        selectAll.all(accountId ?? null).map((key): StoredDataKey => ({ ...key, isCurrent: key.isCurrent === 1 })),
      ),

    addDataKey: (accountId, supersededVersion, wrapDataKey, event) =>
      session.write(() => {
        const current = selectCurrent.get(accountId);
        if (current === undefined) return false;
        if (current !== supersededVersion) return true;
        const version = current + 1;
        const { rootKeyFingerprint, wrappedKey } = wrapDataKey(version);
        keyUse.countWraps(rootKeyFingerprint, 1);
        insert.run(accountId, version, rootKeyFingerprint, wrappedKey, event.occurredAt);
        setCurrent.run(version, accountId);
        audit.recordSuccess(event, { kind: 'data-key', id: version, parentId: accountId });
        return true;
      }),

    resealValues: (step, reseal) =>
      session.write(() =>
        resealEach(step, selectOldValues.all(step.accountId, step.from, step.afterId), (id) => {
          const sealedValue = reseal(selectValue.get(id) as SealedSecretValue);
          return sealedValue !== undefined && updateValue.run(sealedValue, step.to, id).changes === 1;
        }),
      ),

    resealTemplates: (step, reseal) =>
      session.write(() =>
        resealEach(step, selectOldTemplates.all(step.accountId, step.from, step.afterId), (id) => {
          const sealedTemplate = reseal(selectTemplate.get(id) as StoredTemplate);
          return sealedTemplate !== undefined && updateTemplate.run(sealedTemplate, step.to, id).changes === 1;
        }),
      ),

    deleteUnusedDataKeys: (accountId) => session.write(() => removeUnused.all(accountId)),
  };
}

/** One at least, or nothing would ever be done about a large one. */
function withinBytes(candidates: readonly Candidate[]): readonly Candidate[] {
  let bytes = 0;
  const tooMany = candidates.findIndex((candidate, i) => {
    bytes += candidate.bytes ?? 0;
    return i > 0 && bytes > MAX_BYTES;
  });
  return tooMany < 0 ? candidates : candidates.slice(0, tooMany);
}
