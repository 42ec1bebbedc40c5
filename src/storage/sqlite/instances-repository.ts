// Instances and their ledger in SQLite.

import type { AuditEvent } from '../../domain/audit-events.ts';
import {
  type DeliveredSecret,
  type Instance,
  isSeedOpen,
  type SecretHolder,
  type StoredInstance,
} from '../../domain/instances.ts';
import type { Reference } from '../../domain/references.ts';
import type { InstancesRepository, SeedFetch } from '../storage.ts';
import type { RequireRoom } from './account-quotas.ts';
import type { AuditWriter } from './audit-repository.ts';
import type { KeyUse } from './key-use.ts';
import type { SqliteSession } from './sqlite-session.ts';

const COLUMNS = `id, account_id AS accountId, instance_id AS instanceId, hostname,
  expires_in_seconds AS expiresInSeconds, source_cidr AS sourceCidr, created_at AS createdAt,
  first_fetched_at AS firstFetchedAt, last_fetched_at AS lastFetchedAt, closed_at AS closedAt,
  closed_reason AS closedReason, phone_home AS phoneHome`;
const STORED_COLUMNS = `${COLUMNS}, sealed_template AS sealedTemplate, data_key_version AS dataKeyVersion`;
const IS_LIVE = 'sealed_template IS NOT NULL';

type Row<T extends Instance> = Omit<T, 'phoneHome'> & { readonly phoneHome: string | null };

function parseReport<T extends Instance>(row: Row<T>): T;
function parseReport<T extends Instance>(row: Row<T> | undefined): T | undefined;
function parseReport<T extends Instance>(row: Row<T> | undefined): T | undefined {
  return row && ({ ...row, phoneHome: row.phoneHome === null ? null : JSON.parse(row.phoneHome) } as T);
}

export function createInstancesRepository(
  session: SqliteSession,
  requireRoom: RequireRoom,
  keyUse: KeyUse,
  audit: AuditWriter,
): InstancesRepository {
  const { connection } = session;
  const selectAll = connection.prepare<[number], Row<Instance>>(
    `SELECT ${COLUMNS} FROM instances WHERE account_id = ? AND ${IS_LIVE} ORDER BY id`,
  );
  const selectById = connection.prepare<[number, number], Row<StoredInstance>>(
    `SELECT ${STORED_COLUMNS} FROM instances WHERE account_id = ? AND id = ? AND ${IS_LIVE}`,
  );
  const selectByName = connection.prepare<[number, string], Row<StoredInstance>>(
    `SELECT ${STORED_COLUMNS} FROM instances WHERE account_id = ? AND instance_id = ? AND ${IS_LIVE}`,
  );
  const selectByToken = connection.prepare<[Uint8Array], Row<StoredInstance>>(
    `SELECT ${STORED_COLUMNS} FROM instances WHERE token_hash = ?`,
  );
  const selectForFetch = connection.prepare<[number], Row<Instance>>(
    `SELECT ${COLUMNS} FROM instances WHERE id = ? AND ${IS_LIVE}`,
  );
  const lastId = connection.prepare<[], number>("SELECT seq FROM sqlite_sequence WHERE name = 'instances'").pluck();
  const insert = connection.prepare<[Record<string, unknown>], Row<Instance>>(
    `INSERT INTO instances (id, account_id, instance_id, hostname, token_hash, sealed_template, data_key_version,
       expires_in_seconds, source_cidr, created_at)
     VALUES (@id, @accountId, @instanceId, @hostname, @tokenHash, @sealedTemplate, @dataKeyVersion,
       @expiresInSeconds, @sourceCidr, @createdAt) RETURNING ${COLUMNS}`,
  );
  const noteFetch = connection.prepare<[string, string, number]>(
    'UPDATE instances SET first_fetched_at = ifnull(first_fetched_at, ?), last_fetched_at = ? WHERE id = ?',
  );
  const noteDelivery = connection.prepare<[number, number, number, string, string, string, string]>(
    `INSERT INTO instance_secrets (instance, value_id, version, secret_key, first_delivered_at, last_delivered_at,
       last_address) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET last_delivered_at = excluded.last_delivered_at, last_address = excluded.last_address`,
  );
  const close = connection.prepare<[string, string, string | null, number]>(
    `UPDATE instances SET closed_at = ?, closed_reason = ?, phone_home = ifnull(?, phone_home)
     WHERE id = ? AND closed_at IS NULL`,
  );
  const reopen = connection.prepare<[number], Row<Instance>>(
    `UPDATE instances SET closed_at = NULL, closed_reason = NULL, first_fetched_at = NULL WHERE id = ?
     RETURNING ${COLUMNS}`,
  );
  const forget = connection.prepare<[string, number]>(
    `UPDATE instances SET sealed_template = NULL, closed_at = ifnull(closed_at, ?), closed_reason = 'deleted'
     WHERE id = ?`,
  );
  const selectDelivered = connection.prepare<[number], DeliveredSecret>(
    `SELECT given.value_id AS valueId, given.secret_key AS secretKey, given.version,
       first_delivered_at AS firstDeliveredAt, last_delivered_at AS lastDeliveredAt, last_address AS lastAddress,
       secret_values.version AS currentVersion
     FROM instance_secrets AS given LEFT JOIN secret_values ON secret_values.id = given.value_id
     WHERE instance = ? ORDER BY given.secret_key, given.version`,
  );
  const selectHolders = connection.prepare<[number, number], SecretHolder>(
    `SELECT instances.id, instance_id AS instanceId, hostname, max(version) AS version,
       last_delivered_at AS lastDeliveredAt
     FROM instance_secrets JOIN instances ON instances.id = instance
     WHERE account_id = ? AND value_id = ? AND ${IS_LIVE} GROUP BY instances.id ORDER BY instances.id`,
  );

  function findRow(accountId: number, instance: Reference): Row<StoredInstance> | undefined {
    return 'id' in instance ? selectById.get(accountId, instance.id) : selectByName.get(accountId, instance.name);
  }

  function record(event: AuditEvent, id: number): void {
    audit.recordSuccess(event, { kind: 'instance', id, parentId: null });
  }

  function noteDeliveries(id: number, { address, delivered }: SeedFetch, at: string): void {
    for (const { valueId, version, secretKey } of delivered) {
      noteDelivery.run(id, valueId, version, secretKey, at, at, address);
    }
  }

  return {
    list: (accountId) => session.read(() => selectAll.all(accountId).map((row) => parseReport(row))),

    find: (accountId, instance) => session.read(() => parseReport(findRow(accountId, instance))),

    findByTokenHash: (tokenHash) => session.read(() => parseReport(selectByToken.get(tokenHash))),

    create: (instance, seal, event) =>
      session.write(() => {
        requireRoom(instance.accountId, 'instances');
        const id = (lastId.get() ?? 0) + 1;
        const sealed = seal(id);
        keyUse.countSeals(instance.accountId, sealed.dataKeyVersion, 1);
        const row = insert.get({ ...instance, ...sealed, id, createdAt: event.occurredAt }) as Row<Instance>;
        record(event, id);
        return parseReport(row);
      }),

    recordFetch: (id, fetch, event) =>
      session.writeFromReserve(() => {
        const current = selectForFetch.get(id);
        if (current === undefined || !isSeedOpen(parseReport(current), Date.parse(event.occurredAt))) return false;
        noteFetch.run(event.occurredAt, event.occurredAt, id);
        noteDeliveries(id, fetch, event.occurredAt);
        record(event, id);
        return true;
      }),

    close: (id, reason, report, event) =>
      session.write(() => {
        const text = report === null ? null : JSON.stringify(report);
        if (close.run(event.occurredAt, reason, text, id).changes > 0) record(event, id);
      }),

    reopen: (accountId, instance, event) =>
      session.write(() => {
        const current = findRow(accountId, instance);
        if (current === undefined) return undefined;
        record(event, current.id);
        return parseReport(reopen.get(current.id));
      }),

    delete: (accountId, instance, event) =>
      session.write(() => {
        const current = findRow(accountId, instance);
        if (current === undefined) return false;
        forget.run(event.occurredAt, current.id);
        record(event, current.id);
        return true;
      }),

    listDelivered: (id) => session.read(() => selectDelivered.all(id)),

    listHolders: (accountId, valueId) => session.read(() => selectHolders.all(accountId, valueId)),
  };
}
