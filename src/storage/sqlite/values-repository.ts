// Sealed values in SQLite. Nothing here ever sees what is sealed.

import type { Reference } from '../../domain/references.ts';
import type { SealedSecretValue } from '../../domain/secrets.ts';
import type { ValuesRepository } from '../storage.ts';
import type { AuditWriter } from './audit-repository.ts';
import type { KeyUse } from './key-use.ts';
import type { FindList } from './lists-repository.ts';
import type { SqliteSession } from './sqlite-session.ts';

/** A SealedSecretValue. */
export const VALUE_COLUMNS = `id, secret_list_id AS secretListId, secret_key AS secretKey, sealed_value AS sealedValue,
  data_key_version AS dataKeyVersion, version, created_at AS createdAt, updated_at AS updatedAt`;

type Row = SealedSecretValue;

export function createValuesRepository(
  session: SqliteSession,
  findList: FindList,
  keyUse: KeyUse,
  audit: AuditWriter,
): ValuesRepository {
  const { connection } = session;
  const selectAll = connection.prepare<[number], Row>(
    `SELECT ${VALUE_COLUMNS} FROM secret_values WHERE account_id = ? ORDER BY id`,
  );
  const selectByList = connection.prepare<[number, number], Row>(
    `SELECT ${VALUE_COLUMNS} FROM secret_values WHERE account_id = ? AND secret_list_id = ? ORDER BY id`,
  );
  const selectById = connection.prepare<[number, number], Row>(
    `SELECT ${VALUE_COLUMNS} FROM secret_values WHERE account_id = ? AND id = ?`,
  );
  const selectByKey = connection.prepare<[number, string], Row>(
    `SELECT ${VALUE_COLUMNS} FROM secret_values WHERE account_id = ? AND secret_key = ?`,
  );
  const isKnownKey = connection
    .prepare<[number, string], number>('SELECT 1 FROM secret_values WHERE account_id = ? AND secret_key = ?')
    .pluck();
  const lastId = connection.prepare<[], number>("SELECT seq FROM sqlite_sequence WHERE name = 'secret_values'").pluck();
  const insert = connection.prepare<[number, number, number, string, Uint8Array, number, number, string, string], Row>(
    `INSERT INTO secret_values (id, account_id, secret_list_id, secret_key, sealed_value, data_key_version, version,
       created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING ${VALUE_COLUMNS}`,
  );
  const update = connection.prepare<[string, Uint8Array, number, number, string, number], Row>(
    `UPDATE secret_values SET secret_key = ?, sealed_value = ?, data_key_version = ?, version = ?, updated_at = ?
     WHERE id = ? RETURNING ${VALUE_COLUMNS}`,
  );
  const remove = connection.prepare<[number]>('DELETE FROM secret_values WHERE id = ?');

  function findValue(accountId: number, list: Reference, value: Reference): Row | undefined {
    const parent = findList(accountId, list);
    if (parent === undefined) return undefined;
    const row = 'id' in value ? selectById.get(accountId, value.id) : selectByKey.get(accountId, value.name);
    return row?.secretListId === parent.id ? row : undefined;
  }

  return {
    listAll: (accountId) => session.read(() => selectAll.all(accountId)),

    list: (accountId, list) =>
      session.read(() => {
        const parent = findList(accountId, list);
        return parent === undefined ? undefined : selectByList.all(accountId, parent.id);
      }),

    find: (accountId, list, value) => session.read(() => findValue(accountId, list, value)),

    findByKeys: (accountId, secretKeys, maxBytes) =>
      session.read(() => {
        const found: Row[] = [];
        let bytes = 0;
        for (const secretKey of secretKeys) {
          const row = selectByKey.get(accountId, secretKey);
          if (row === undefined) continue;
          bytes += row.sealedValue.length;
          if (bytes > maxBytes) return undefined;
          found.push(row);
        }
        return found;
      }),

    listKnownKeys: (accountId, secretKeys) =>
      session.read(() => [...secretKeys].filter((secretKey) => isKnownKey.get(accountId, secretKey) !== undefined)),

    create: (accountId, list, secretKey, seal, event) =>
      session.write(() => {
        const parent = findList(accountId, list);
        if (parent === undefined) return undefined;
        const place = { id: (lastId.get() ?? 0) + 1, secretListId: parent.id, secretKey, version: 1 };
        const { sealedValue, dataKeyVersion } = seal(place);
        keyUse.countSeals(accountId, dataKeyVersion, 1);
        const { occurredAt } = event;
        const created = insert.get(
          place.id,
          accountId,
          parent.id,
          secretKey,
          sealedValue,
          dataKeyVersion,
          place.version,
          occurredAt,
          occurredAt,
        );
        audit.recordSuccess(event, { kind: 'value', id: place.id, parentId: parent.id });
        return created;
      }),

    update: (accountId, list, value, reseal, event) =>
      session.write(() => {
        const current = findValue(accountId, list, value);
        if (current === undefined) return undefined;
        const { secretKey, sealedValue, dataKeyVersion } = reseal(current);
        keyUse.countSeals(accountId, dataKeyVersion, 1);
        audit.recordSuccess(event, { kind: 'value', id: current.id, parentId: current.secretListId });
        return update.get(secretKey, sealedValue, dataKeyVersion, current.version + 1, event.occurredAt, current.id);
      }),

    delete: (accountId, list, value, event) =>
      session.write(() => {
        const current = findValue(accountId, list, value);
        if (current === undefined) return false;
        remove.run(current.id);
        audit.recordSuccess(event, { kind: 'value', id: current.id, parentId: current.secretListId });
        return true;
      }),
  };
}
