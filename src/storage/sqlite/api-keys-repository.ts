// API keys in SQLite.

import type { ApiKey, StoredApiKey } from '../../domain/accounts.ts';
import type { AuditEvent } from '../../domain/audit-events.ts';
import type { ApiKeysRepository, NewApiKey } from '../storage.ts';
import type { AuditWriter } from './audit-repository.ts';
import type { SqliteSession } from './sqlite-session.ts';

const PUBLIC_COLUMNS = `id, account_id AS accountId, name, hint, rights, created_at AS createdAt,
  expires_at AS expiresAt, revoked_at AS revokedAt`;
const COLUMNS = `${PUBLIC_COLUMNS}, token_hash AS tokenHash, row_mac AS rowMac`;

/** Inserts an API key; to be called inside a transaction. */
export type InsertApiKey = (key: NewApiKey, event: AuditEvent) => ApiKey;

export function prepareInsertApiKey({ connection }: SqliteSession, audit: AuditWriter): InsertApiKey {
  const insert = connection.prepare<[NewApiKey], ApiKey>(
    `INSERT INTO api_keys (account_id, name, hint, rights, token_hash, row_mac, created_at, expires_at, revoked_at)
     VALUES (@accountId, @name, @hint, @rights, @tokenHash, @rowMac, @createdAt, @expiresAt, @revokedAt)
     RETURNING ${PUBLIC_COLUMNS}`,
  );
  return (key, event) => {
    const created = insert.get(key) as ApiKey;
    audit.recordSuccess(event, { kind: 'key', id: created.id, parentId: created.accountId });
    return created;
  };
}

export function createApiKeysRepository(
  session: SqliteSession,
  insertApiKey: InsertApiKey,
  audit: AuditWriter,
): ApiKeysRepository {
  const { connection } = session;
  const selectByHash = connection.prepare<[Uint8Array], StoredApiKey>(
    `SELECT ${COLUMNS} FROM api_keys WHERE token_hash = ?`,
  );
  const selectById = connection.prepare<[number], StoredApiKey>(`SELECT ${COLUMNS} FROM api_keys WHERE id = ?`);
  const selectByAccount = connection.prepare<[number], ApiKey>(
    `SELECT ${PUBLIC_COLUMNS} FROM api_keys WHERE account_id = ? ORDER BY id`,
  );
  const revoke = connection.prepare<[string, Uint8Array, number], ApiKey>(
    `UPDATE api_keys SET revoked_at = ?, row_mac = ? WHERE id = ? RETURNING ${PUBLIC_COLUMNS}`,
  );

  return {
    findByTokenHash: (tokenHash) => session.read(() => selectByHash.get(tokenHash)),

    list: (accountId) => session.read(() => selectByAccount.all(accountId)),

    create: (key, event) => session.write(() => insertApiKey(key, event)),

    revoke: (id, prove, event) =>
      session.write(() => {
        const current = selectById.get(id);
        if (current === undefined) return undefined;
        const revokedAt = current.revokedAt ?? event.occurredAt;
        const { accountId } = current;
        audit.recordSuccess({ ...event, accountId }, { kind: 'key', id, parentId: accountId });
        return revoke.get(revokedAt, prove(current, revokedAt), id);
      }),
  };
}
