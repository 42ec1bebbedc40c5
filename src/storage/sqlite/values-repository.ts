// Sealed values in SQLite. Nothing here ever sees what is sealed.

import type { Reference } from '../../domain/references.ts';
import type { SealedSecretValue } from '../../domain/secrets.ts';
import type { BlockOfValues, ValuesRepository } from '../storage.ts';
import type { RequireRoom } from './account-quotas.ts';
import type { AuditWriter } from './audit-repository.ts';
import type { KeyUse } from './key-use.ts';
import type { FindList } from './lists-repository.ts';
import type { SqliteSession } from './sqlite-session.ts';

/** A SealedSecretValue. */
export const VALUE_COLUMNS = `id, secret_list_id AS secretListId, secret_key AS secretKey, sealed_value AS sealedValue,
  data_key_version AS dataKeyVersion, version, created_at AS createdAt, updated_at AS updatedAt`;

type Row = SealedSecretValue;

const VALUES_OF_A_BLOCK = 64;

export function createValuesRepository(
  session: SqliteSession,
  findList: FindList,
  requireRoom: RequireRoom,
  keyUse: KeyUse,
  audit: AuditWriter,
): ValuesRepository {
  const { connection } = session;
  const selectRange = connection.prepare<[number, number, number], Row>(
    `SELECT ${VALUE_COLUMNS} FROM secret_values WHERE account_id = ? AND id BETWEEN ? AND ? ORDER BY id`,
  );
  const selectRangeOfList = connection.prepare<[number, number, number, number], Row>(
    `SELECT ${VALUE_COLUMNS} FROM secret_values WHERE account_id = ? AND secret_list_id = ? AND id BETWEEN ? AND ?
     ORDER BY id`,
  );
  const prepareBlocks = <P extends unknown[]>(where: string) =>
    connection.prepare<P, BlockOfValues>(
      `SELECT min(id) AS first, max(id) AS last, count(*) AS count, group_concat(id || '.' || version) AS marks
       FROM (SELECT id, version, (row_number() OVER (ORDER BY id) - 1) / ${VALUES_OF_A_BLOCK} AS block
             FROM secret_values WHERE ${where})
       GROUP BY block ORDER BY block`,
    );
  const selectBlocks = prepareBlocks<[number]>('account_id = ?');
  const selectBlocksOfList = prepareBlocks<[number, number]>('account_id = ? AND secret_list_id = ?');
  const selectById = connection.prepare<[number, number], Row>(
    `SELECT ${VALUE_COLUMNS} FROM secret_values WHERE account_id = ? AND id = ?`,
  );
  const selectByKey = connection.prepare<[number, string], Row>(
    `SELECT ${VALUE_COLUMNS} FROM secret_values WHERE account_id = ? AND secret_key = ?`,
  );
  const listOf = 'AND secret_list_id = (SELECT id FROM secret_lists WHERE account_id = @accountId AND name = @list)';
  const selectByListNameAndId = connection.prepare<[{ accountId: number; list: string; value: number }], Row>(
    `SELECT ${VALUE_COLUMNS} FROM secret_values WHERE account_id = @accountId AND id = @value ${listOf}`,
  );
  const selectByListNameAndKey = connection.prepare<[{ accountId: number; list: string; value: string }], Row>(
    `SELECT ${VALUE_COLUMNS} FROM secret_values WHERE account_id = @accountId AND secret_key = @value ${listOf}`,
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
    if ('name' in list) {
      const place = { accountId, list: list.name };
      if ('id' in value) return selectByListNameAndId.get({ ...place, value: value.id });
      return selectByListNameAndKey.get({ ...place, value: value.name });
    }
    const row = 'id' in value ? selectById.get(accountId, value.id) : selectByKey.get(accountId, value.name);
    return row?.secretListId === list.id ? row : undefined;
  }

  return {
    listBlocks: (accountId, listId) =>
      session.read(() => (listId === null ? selectBlocks.all(accountId) : selectBlocksOfList.all(accountId, listId))),

    listRange: (accountId, listId, { first, last }) =>
      session.read(() =>
        listId === null
          ? selectRange.all(accountId, first, last)
          : selectRangeOfList.all(accountId, listId, first, last),
      ),

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
        requireRoom(accountId, 'values');
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
