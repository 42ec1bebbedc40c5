// The inspection of a SQLite store, on a connection of its own that can't write.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StoredApiKey } from '../../domain/accounts.ts';
import type {
  InspectedDataKey,
  InspectedInstance,
  InspectedSystemKey,
  InspectedValue,
  StoreInspection,
} from '../inspection.ts';
import { prepareAuditReading } from './audit-reading.ts';
import { readRootKeyFingerprints } from './checked-copy.ts';
import { type Connection, withOpeningErrors } from './sqlite-connection.ts';

const PAGE_ROWS = 500;
/** A page ends with the row that reaches it. */
const PAGE_BYTES = 1024 * 1024;

const WRAPPED = 'key.root_key_fingerprint AS rootKeyFingerprint, key.wrapped_key AS wrappedKey';
// CROSS keeps the order of the two tables: pages by id, without sorting all of them for each.
const WITH_DATA_KEY =
  'CROSS JOIN data_keys AS key ON key.account_id = sealed.account_id AND key.version = sealed.data_key_version';
const SEALED = `sealed.id, sealed.account_id AS accountId, data_key_version AS dataKeyVersion, ${WRAPPED}`;

const DATA_KEYS = `SELECT account_id AS accountId, version, ${WRAPPED} FROM data_keys AS key
  WHERE (account_id, version) > (@accountId, @version) ORDER BY account_id, version`;
const VALUES = `SELECT ${SEALED}, secret_list_id AS secretListId, secret_key AS secretKey, sealed.version,
  sealed_value AS sealedValue FROM secret_values AS sealed ${WITH_DATA_KEY} WHERE sealed.id > @id ORDER BY sealed.id`;
const INSTANCES = `SELECT ${SEALED}, instance_id AS instanceId, hostname, expires_in_seconds AS expiresInSeconds,
  source_cidr AS sourceCidr, sealed_template AS sealedTemplate FROM instances AS sealed ${WITH_DATA_KEY}
  WHERE sealed_template IS NOT NULL AND sealed.id > @id ORDER BY sealed.id`;
const API_KEYS = `SELECT id, account_id AS accountId, name, hint, rights, created_at AS createdAt,
  expires_at AS expiresAt, revoked_at AS revokedAt, token_hash AS tokenHash, row_mac AS rowMac
  FROM api_keys WHERE id > @id ORDER BY id`;

const FROM_THE_START = { id: 0, accountId: 0, version: 0 };

/** Closes the connection with it. */
export function createSqliteInspection(connection: Connection): StoreInspection {
  const guarded = <T>(read: () => T): T => withOpeningErrors(connection.name, read);

  function readPage<Row extends object>(sql: string, after: object): Row[] {
    const page: Row[] = [];
    let bytes = 0;
    for (const row of connection.prepare<[object], Row>(sql).iterate(after)) {
      page.push(row);
      for (const cell of Object.values(row)) if (cell instanceof Uint8Array) bytes += cell.length;
      if (page.length >= PAGE_ROWS || bytes >= PAGE_BYTES) break;
    }
    return page;
  }

  async function* pages<Row extends object>(sql: string): AsyncGenerator<readonly Row[]> {
    let after: object = FROM_THE_START;
    for (;;) {
      const page = guarded(() => readPage<Row>(sql, { ...FROM_THE_START, ...after }));
      const last = page.at(-1);
      if (last === undefined) return;
      yield page;
      after = keyOf(last);
      await nextTurn();
    }
  }

  return {
    listRootKeyFingerprints: async () => guarded(() => readRootKeyFingerprints(connection)),
    listSystemKeys: async () =>
      guarded(() =>
        connection.prepare<[], InspectedSystemKey>(`SELECT purpose, ${WRAPPED} FROM system_keys AS key`).all(),
      ),
    dataKeys: () => pages<InspectedDataKey>(DATA_KEYS),
    values: () => pages<InspectedValue>(VALUES),
    instances: () => pages<InspectedInstance>(INSTANCES),
    apiKeys: () => pages<StoredApiKey>(API_KEYS),
    audit: {
      // Prepared when asked: a store of an older version has no chain.
      findEnds: async () => guarded(() => prepareAuditReading(connection).findEnds()),
      async listChained(afterId, limit) {
        await nextTurn();
        return guarded(() => prepareAuditReading(connection).listChained(afterId, limit));
      },
    },
    close: () => void connection.close(),
  };
}

/** What the next page begins behind. */
function keyOf(row: { id?: number; accountId?: number; version?: number }): object {
  return { id: row.id, accountId: row.accountId, version: row.version };
}
