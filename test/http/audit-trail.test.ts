// The audit trail: each change and each refusal writes who, what, on which thing and how it ended; and no change goes
// without.

import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { composeAdministration } from '../../src/compose.ts';
import { type Answer, type RequestOptions, startTestServer, type TestServer } from '../support/test-server.ts';
import { expectFailure, expectSuccess } from './api-answers.ts';
import { findAuditRows, query, readAuditRows } from './database-file.ts';

const LISTS = '/api/secrets/lists';
/** Refusals are written in groups, some time after the answer. */
const SOON = { interval: 10, timeout: 5_000 };
let server: TestServer;
let writer: { id: number; token: string };
let reader: { id: number; token: string };
let accountId: number;

beforeAll(async () => {
  server = await startTestServer();
  writer = await server.newKey('audited');
  reader = await server.newKey('audited', 'read');
  const [account] = query<{ id: number }>(server, "SELECT id FROM accounts WHERE name = 'audited'");
  accountId = account?.id ?? 0;
  await send('POST', LISTS, { body: { name: 'home' } });
  await send('POST', `${LISTS}/home/values`, { body: { secret_key: 'K', secret_value: 'v' } });
});
afterAll(() => server.close());

function send(method: string, url: string, options: RequestOptions = {}): Promise<Answer> {
  return server.request(method, url, { token: writer.token, ...options });
}

describe('a change', () => {
  interface Change {
    readonly action: string;
    readonly method: string;
    readonly url: () => string;
    readonly body?: unknown;
    /** What is changed: kind, and whether a list stands above it. */
    readonly kind: 'list' | 'value';
  }
  let list: { id: number };
  let value: { id: number };
  const CHANGES: Change[] = [
    { action: 'list.create', method: 'POST', url: () => LISTS, body: { name: 'canary' }, kind: 'list' },
    { action: 'list.update', method: 'POST', url: () => `${LISTS}/canary`, body: { name: 'canary2' }, kind: 'list' },
    {
      action: 'value.create',
      method: 'POST',
      url: () => `${LISTS}/${list.id}/values`,
      body: { secret_key: 'canary', secret_value: 'canary' },
      kind: 'value',
    },
    {
      action: 'value.update',
      method: 'POST',
      url: () => `${LISTS}/canary2/values/canary`,
      body: { secret_value: 'canary2' },
      kind: 'value',
    },
    { action: 'value.delete', method: 'DELETE', url: () => `${LISTS}/canary2/values/canary`, kind: 'value' },
    { action: 'list.delete', method: 'DELETE', url: () => `${LISTS}/canary2`, kind: 'list' },
  ];

  test.each(CHANGES)('writes one event: $action', async ({ action, method, url, body, kind }) => {
    const startedAt = new Date().toISOString();
    const headers = { 'x-forwarded-for': '203.0.113.9', forwarded: 'for=203.0.113.9', 'x-real-ip': '203.0.113.9' };
    const answer = await send(method, url(), { headers, body });
    const data = expectSuccess(answer);
    if (action === 'list.create') list = data;
    if (action === 'value.create') value = data;
    const target = kind === 'list' ? list.id : value.id;
    const rows = findAuditRows(server, answer.headers['x-request-id']);
    expect(rows).toEqual([
      {
        id: expect.any(Number),
        occurred_at: expect.any(String),
        actor: 'api-key',
        account_id: accountId,
        api_key_id: writer.id,
        action,
        target_kind: kind,
        target_id: target,
        target_parent_id: kind === 'list' ? null : list.id,
        outcome: 'success',
        reason: null,
        request_id: answer.headers['x-request-id'],
        address: '127.0.0.1',
        occurrences: 1,
      },
    ]);
    const occurredAt = rows[0]?.occurred_at ?? '';
    expect(occurredAt >= startedAt && occurredAt <= new Date().toISOString()).toBe(true);
    expect(JSON.stringify(rows)).not.toContain('canary');
  });

  test.each(CHANGES)('does not happen when its event cannot be written: $action', async ({ action }) => {
    const state = async () => [(await send('GET', LISTS)).text, (await send('GET', '/api/secrets/all-values')).text];
    const before = await state();
    const allowAuditEvents = refuseAuditEvents();
    const [method, url, body] = {
      'list.create': ['POST', LISTS, { name: 'unrecorded' }] as const,
      'list.update': ['POST', `${LISTS}/home`, { name: 'unrecorded' }] as const,
      'value.create': ['POST', `${LISTS}/home/values`, { secret_key: 'new', secret_value: 'v' }] as const,
      'value.update': ['POST', `${LISTS}/home/values/K`, { secret_value: 'unrecorded' }] as const,
      'value.delete': ['DELETE', `${LISTS}/home/values/K`, undefined] as const,
      'list.delete': ['DELETE', `${LISTS}/home`, undefined] as const,
    }[action] ?? ['GET', LISTS, undefined];
    const answer = await send(method, url, { body });
    expect(answer.status).toBeGreaterThanOrEqual(500);
    expectFailure(answer, answer.status);
    allowAuditEvents();
    expect(await state()).toEqual(before);
  });
});

/** Until what it returns is called, or the test is over. */
function refuseAuditEvents(): () => void {
  query(server, "CREATE TRIGGER refuse BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'refused'); END");
  const allow = () => void query(server, 'DROP TRIGGER IF EXISTS refuse');
  onTestFinished(allow);
  return allow;
}

describe('a read of values', () => {
  let list: { id: number };
  let value: { id: number };
  beforeAll(async () => {
    list = expectSuccess(await send('POST', LISTS, { body: { name: 'read' } }));
    const body = { secret_key: 'READ', secret_value: 'canary' };
    value = expectSuccess(await send('POST', `${LISTS}/read/values`, { body }));
    await send('POST', LISTS, { body: { name: 'empty' } });
  });

  const document = { headers: { 'content-type': 'text/plain' }, body: 'a ${{secret.READ}} b' };
  const script = { body: { script_content: Buffer.from(document.body).toString('base64') } };
  const READS: [string, string, string, string, RequestOptions, 'value' | 'list' | null][] = [
    ['value.read', 'a value by name', 'GET', `${LISTS}/read/values/READ`, {}, 'value'],
    ['value.list', "a list's values", 'GET', `${LISTS}/read/values`, {}, 'list'],
    ['value.list-all', 'all values', 'GET', '/api/secrets/all-values', {}, null],
    ['user-data.render', 'user-data', 'POST', '/api/cloud-init/render', document, 'value'],
    ['user-data.render', 'user-data in base64', 'POST', '/api/cloud-init/render', script, 'value'],
  ];

  test.each(READS)('writes one event before it is answered: %s, %s', async (action, _, method, url, options, kind) => {
    const answer = await send(method, url, { token: reader.token, ...options });
    expect(answer.status).toBe(200);
    const rows = findAuditRows(server, answer.headers['x-request-id']);
    expect(rows).toEqual([
      {
        id: expect.any(Number),
        occurred_at: expect.any(String),
        actor: 'api-key',
        account_id: accountId,
        api_key_id: reader.id,
        action,
        target_kind: kind,
        target_id: kind === null ? null : { value, list }[kind].id,
        target_parent_id: kind === 'value' ? list.id : null,
        outcome: 'success',
        reason: null,
        request_id: answer.headers['x-request-id'],
        address: '127.0.0.1',
        occurrences: 1,
      },
    ]);
    expect(JSON.stringify(rows)).not.toMatch(/canary|READ/);
  });

  test.each(READS)(
    'gives nothing when its event cannot be written: %s, %s',
    async (_action, _, method, url, options) => {
      refuseAuditEvents();
      const answer = await send(method, url, options);
      expectFailure(answer, 500);
      expect(answer.text).not.toContain('canary');
    },
  );

  test('is answered with 503 while another program holds the lock', async () => {
    const foreign = new Database(join(server.config.dataDirectory, 'secret-manager.db'));
    foreign.exec('BEGIN IMMEDIATE');
    const answer = await send('GET', `${LISTS}/read/values/READ`);
    foreign.close();
    expectFailure(answer, 503);
    expect(answer.text).not.toContain('canary');
    await vi.waitFor(async () => expectSuccess(await send('GET', `${LISTS}/read/values/READ`)), SOON);
  });

  test('of several values by rendering writes an event for each', async () => {
    const body = { secret_key: 'SECOND', secret_value: 'x' };
    const second = expectSuccess(await send('POST', `${LISTS}/read/values`, { body }));
    const text = '${{secret.READ}} ${{secret.SECOND}} ${{secret.READ}}';
    const answer = await send('POST', '/api/cloud-init/render', { ...document, body: text });
    const rows = findAuditRows(server, answer.headers['x-request-id']);
    expect(rows.map(({ target_id }) => target_id).sort()).toEqual([value.id, second.id].sort());
  });

  test('that gives none, or is refused, or looks at names alone, is no read', async () => {
    const before = readAuditRows(server).at(-1)?.id ?? 0;
    const answers = [
      await send('GET', `${LISTS}/empty/values`),
      await send('GET', LISTS),
      await send('GET', `${LISTS}/read/values/NONE`),
      await send('POST', '/api/cloud-init/check', document),
      await send('POST', '/api/cloud-init/render', { ...document, body: '${{secret.NONE}}' }),
      await send('GET', `${LISTS}/read/values/READ/usage`),
      await send('GET', '/api/audit'),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 404, 200, 422, 200, 200]);
    const since = readAuditRows(server).filter(({ id }) => id > before);
    expect(since.filter(({ outcome }) => outcome === 'success')).toEqual([]);
  });

  test('shares its commit with others that arrive together', async () => {
    const before = readAuditRows(server).at(-1)?.id ?? 0;
    await Promise.all(Array.from({ length: 30 }, () => send('GET', `${LISTS}/read/values/READ`)));
    const macs = query<{ mac: Buffer | null }>(
      server,
      "SELECT commit_mac AS mac FROM audit_events WHERE id > ? AND action = 'value.read' AND outcome = 'success'",
      before,
    );
    expect(macs).toHaveLength(30);
    expect(macs.filter(({ mac }) => mac !== null).length).toBeLessThan(15);
  });
});

describe('a refusal', () => {
  const nobody = { token: null };
  const REFUSALS: [string, number, string, () => Promise<Answer>, ('writer' | 'reader' | 'nobody')?][] = [
    ['unauthenticated', 401, 'list.list', () => send('GET', LISTS, nobody), 'nobody'],
    ['unauthenticated', 401, 'value.read', () => send('GET', `${LISTS}/a/values/canary?key=canary`, nobody), 'nobody'],
    ['unauthenticated', 401, 'value.delete', () => send('DELETE', `${LISTS}/a/values/b`, nobody), 'nobody'],
    ['two_credentials', 400, 'value.list-all', () => send('GET', '/api/secrets/all-values?key=canary'), 'nobody'],
    [
      'forbidden',
      403,
      'list.create',
      () => send('POST', LISTS, { token: reader.token, body: { name: 'canary' } }),
      'reader',
    ],
    ['forbidden', 403, 'list.delete', () => send('DELETE', `${LISTS}/home`, { token: reader.token }), 'reader'],
    ['list_not_found', 404, 'list.read', () => send('GET', `${LISTS}/canary`)],
    ['list_not_found', 404, 'value.list', () => send('GET', `${LISTS}/canary/values`)],
    ['list_not_found', 404, 'list.update', () => send('POST', `${LISTS}/canary`, { body: { name: 'canary' } })],
    ['list_not_found', 404, 'list.delete', () => send('DELETE', `${LISTS}/canary`)],
    ['value_not_found', 404, 'value.delete', () => send('DELETE', `${LISTS}/home/values/canary`)],
    ['value_not_found', 404, 'value.read', () => send('GET', `${LISTS}/home/values/canary`)],
    ['route_not_found', 404, 'unknown', () => send('GET', '/api/canary')],
    ['method_not_allowed', 405, 'unknown', () => send('PUT', `${LISTS}/canary`)],
    [
      'body_too_large',
      413,
      'list.create',
      () => send('POST', LISTS, { headers: { 'content-type': 'application/json' }, body: 'x'.repeat(4_194_305) }),
    ],
    [
      'unsupported_media_type',
      415,
      'list.update',
      () => send('POST', `${LISTS}/home`, { headers: { 'content-type': 'text/canary' }, body: 'canary' }),
    ],
    [
      'malformed_body',
      400,
      'value.create',
      () => send('POST', `${LISTS}/home/values`, { headers: { 'content-type': 'application/json' }, body: '{canary' }),
    ],
    [
      'invalid_fields',
      422,
      'value.update',
      () => send('POST', `${LISTS}/home/values/K`, { body: { secret_key: '{canary' } }),
    ],
    ['invalid_fields', 422, 'list.create', () => send('POST', LISTS, { body: { name: 'home' } })],
  ];

  test.each(REFUSALS)('writes one event: %s, %i, of %s', async (reason, status, action, refuse, who = 'writer') => {
    const answer = await refuse();
    expectFailure(answer, status);
    const rows = await waitForRows(answer);
    const isKnown = who !== 'nobody';
    expect(rows).toEqual([
      {
        id: expect.any(Number),
        occurred_at: expect.any(String),
        actor: isKnown ? 'api-key' : 'anonymous',
        account_id: isKnown ? accountId : null,
        api_key_id: isKnown ? { writer, reader }[who].id : null,
        action,
        target_kind: null,
        target_id: null,
        target_parent_id: null,
        outcome: 'refused',
        reason,
        request_id: answer.headers['x-request-id'],
        address: '127.0.0.1',
        occurrences: 1,
      },
    ]);
    expect(JSON.stringify(rows)).not.toContain('canary');
  });

  test('of a flood loses none: beyond some, alike ones are counted in one event', async () => {
    const before = await settledOccurrences('list.read', 'list_not_found');
    await Promise.all(Array.from({ length: 300 }, () => send('GET', `${LISTS}/flooded`)));
    await vi.waitFor(async () => {
      expect(await settledOccurrences('list.read', 'list_not_found')).toBe(before + 300);
    });
  });

  function waitForRows(answer: Answer) {
    return vi.waitFor(() => {
      const rows = findAuditRows(server, answer.headers['x-request-id']);
      expect(rows).not.toEqual([]);
      return rows;
    }, SOON);
  }

  async function settledOccurrences(action: string, reason: string): Promise<number> {
    const rows = readAuditRows(server).filter((row) => row.action === action && row.reason === reason);
    return rows.reduce((sum, { occurrences }) => sum + occurrences, 0);
  }
});

describe('the command line', () => {
  test('writes an event for each of its changes, without request and address', async () => {
    const before = readAuditRows(server).length;
    const { id: keyId } = await server.newKey('commanded');
    await server.revokeKey(keyId);
    const administration = await composeAdministration(server.config);
    const { id } = await administration.accounts.delete('commanded');
    await administration.close();
    const rows = readAuditRows(server).slice(before);
    expect(rows.map(({ action, target_kind, target_id }) => [action, target_kind, target_id])).toEqual([
      ['account.create', 'account', id],
      ['key.create', 'key', keyId],
      ['key.revoke', 'key', keyId],
      ['account.delete', 'account', id],
    ]);
    for (const row of rows) {
      expect(row).toMatchObject({ actor: 'command-line', outcome: 'success', request_id: null, address: null });
    }
  });
});

test('the first start wrote its events', () => {
  expect(readAuditRows(server).slice(0, 2)).toMatchObject([
    { actor: 'system', action: 'account.create', target_kind: 'account' },
    { actor: 'system', action: 'key.create', target_kind: 'key' },
  ]);
});

test('what is written is never changed', () => {
  expect(() => query(server, "UPDATE audit_events SET action = 'unknown'")).toThrow('never changed');
});
