// Whoever can write to the database but hasn't the root key can neither mint an API key nor widen one.

import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';

const base = temporaryDirectory();
const SOON = 3_600_000;

let server: TestServer;
let database: Database.Database;
beforeAll(async () => {
  server = await startTestServer({ SECRET_MANAGER_DATA_DIR: mkdtempSync(join(base, 'data-')) });
  database = new Database(join(server.config.dataDirectory, 'secret-manager.db'));
});
afterAll(async () => {
  database.close();
  await server.close();
});

const list = (token: string) => server.request('GET', '/api/secrets/lists', { token });
const write = (token: string) => server.request('POST', '/api/secrets/lists', { token });
const set = (id: number, assignment: string, ...parameters: unknown[]) =>
  database.prepare(`UPDATE api_keys SET ${assignment} WHERE id = ?`).run(...parameters, id);

function alarms(): unknown[] {
  return server.logLines
    .map((line) => JSON.parse(line))
    .filter(({ level, msg }) => level === 'error' && msg.startsWith('ALARM: the row of an API key'))
    .map(({ keyId }) => keyId);
}

/** Like any unknown key, and with an alarm for the operator. */
async function expectRefusedWithAlarm(token: string, id: number): Promise<void> {
  const unknown = await list('an-unknown-key-of-thirty-two-or-more');
  const before = alarms().length;
  for (const ask of [list, write]) {
    const answer = await ask(token);
    expect(answer.status).toBe(401);
    expect(answer.text).toBe(unknown.text);
    expect(answer.headers['www-authenticate']).toBe(unknown.headers['www-authenticate']);
  }
  expect(alarms().slice(before)).toEqual([id, id]);
}

describe('an API key whose row was changed in the database is refused, with an alarm', () => {
  test.each([
    ['made able to write', "rights = 'write'"],
    ['made to last longer', "expires_at = '2999-01-01T00:00:00.000Z'"],
    ['made to last for ever', 'expires_at = NULL'],
    ['made to last for ever by an empty text', "expires_at = ''"],
    ['given another name', "name = 'harmless'"],
    ['given another hint', "hint = 'smk_other0'"],
    ['given an earlier creation', "created_at = '2000-01-01T00:00:00.000Z'"],
    ['without its proof', "row_mac = x''"],
    ['with a proof of zeros', 'row_mac = zeroblob(32)'],
    ['revoked by somebody else', "revoked_at = '2026-01-01T00:00:00.000Z'"],
  ])('%s', async (_, assignment) => {
    const { id, token } = await server.newKey('default', 'read', new Date(Date.now() + SOON));
    expect((await list(token)).status).toBe(200);
    set(id, assignment);
    await expectRefusedWithAlarm(token, id);
  });

  test('moved to another account', async () => {
    const { id, token } = await server.newKey('intruder');
    set(id, 'account_id = 1');
    await expectRefusedWithAlarm(token, id);
  });

  test('no longer revoked', async () => {
    const { id, token } = await server.newKey('default');
    await server.revokeKey(id);
    expect((await list(token)).status).toBe(401);
    expect(alarms()).not.toContain(id);
    set(id, 'revoked_at = NULL');
    await expectRefusedWithAlarm(token, id);
  });

  test('no longer expired', async () => {
    const { id, token } = await server.newKey('default', 'read', new Date(Date.now() - 1000));
    expect((await list(token)).status).toBe(401);
    expect(alarms()).not.toContain(id);
    set(id, 'expires_at = ?', new Date(Date.now() + SOON).toISOString());
    await expectRefusedWithAlarm(token, id);
  });

  test('with the proof of another row', async () => {
    const reader = await server.newKey('default', 'read');
    const writer = await server.newKey('default', 'write');
    set(reader.id, "rights = 'write', row_mac = (SELECT row_mac FROM api_keys WHERE id = ?)", writer.id);
    await expectRefusedWithAlarm(reader.token, reader.id);
  });

  test("with another key's hash, so that its own token opens more", async () => {
    const reader = await server.newKey('intruder', 'read');
    const hash = database.prepare('SELECT token_hash FROM api_keys WHERE id = ?').pluck().get(reader.id);
    set(reader.id, 'token_hash = ?', randomBytes(32));
    set(1, 'token_hash = ?', hash);
    await expectRefusedWithAlarm(reader.token, 1);
  });

  test('made for another account out of its own row', async () => {
    const { id, token } = await server.newKey('intruder', 'write');
    const row = database.prepare('SELECT * FROM api_keys WHERE id = ?').get(id) as object;
    database.prepare('DELETE FROM api_keys WHERE id = ?').run(id);
    database
      .prepare(
        `INSERT INTO api_keys (id, account_id, name, hint, rights, token_hash, row_mac, created_at)
         VALUES (99, 1, @name, @hint, @rights, @token_hash, @row_mac, @created_at)`,
      )
      .run(row);
    await expectRefusedWithAlarm(token, 99);
  });
});

describe('revoking a key whose row was changed', () => {
  test.each([
    ['made able to write', "rights = 'write'", 'revoked_at = NULL'],
    ['moved to another account', 'account_id = 1', 'revoked_at = NULL'],
    ['made able to write, with an empty revocation', "rights = 'write', revoked_at = ''", 'revoked_at = NULL'],
  ])('does not make the change genuine: %s', async (_, change, undoRevocation) => {
    const { id, token } = await server.newKey('intruder', 'read');
    set(id, change);
    await expectRefusedWithAlarm(token, id);
    await server.revokeKey(id);
    await expectRefusedWithAlarm(token, id);
    set(id, undoRevocation);
    await expectRefusedWithAlarm(token, id);
  });
});
