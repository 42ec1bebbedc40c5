// GET /api/audit and a value's usage: who sees what, filters, pages; and what is wrong with a filter.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { AuditRecord } from '../../src/domain/audit-records.ts';
import { type Answer, type RequestOptions, startTestServer, type TestServer } from '../support/test-server.ts';
import { expectFailure, expectSuccess } from './api-answers.ts';
import { findAuditRows, query } from './database-file.ts';
import { fetchSeed, newInstance } from './seed-stage.ts';

const LISTS = '/api/secrets/lists';
const VALUE = `${LISTS}/home/values/K`;
let server: TestServer;
let writer: { id: number; token: string };
let reader: { id: number; token: string };
let stranger: { id: number; token: string };
let value: { id: number };

beforeAll(async () => {
  server = await startTestServer({ SECRET_MANAGER_PUBLIC_URL: 'http://here.example' });
  writer = await server.newKey('ours');
  reader = await server.newKey('ours', 'read');
  stranger = await server.newKey('theirs');
  await send('POST', LISTS, { body: { name: 'home' } });
  value = expectSuccess(
    await send('POST', `${LISTS}/home/values`, { body: { secret_key: 'K', secret_value: 'canary' } }),
  );
  await send('GET', VALUE);
  await send('GET', VALUE, { token: reader.token });
  await send('GET', `${LISTS}/home/values`);
  const refused = await send('GET', `${LISTS}/home/values/NONE`);
  await vi.waitFor(() => expect(findAuditRows(server, refused.headers['x-request-id'])).toHaveLength(1));
  await send('POST', LISTS, { token: stranger.token, body: { name: 'theirs' } });
});
afterAll(() => server.close());

function send(method: string, url: string, options: RequestOptions = {}): Promise<Answer> {
  return server.request(method, url, { token: writer.token, ...options });
}

async function search(filters: Record<string, string> = {}): Promise<{ events: AuditRecord[]; next_cursor: string }> {
  return expectSuccess(await send('GET', `/api/audit?${new URLSearchParams(filters)}`));
}

async function actionsOf(filters: Record<string, string>): Promise<string[]> {
  return (await search(filters)).events.map(({ action }) => action);
}

const ALL = [
  'value.read',
  'value.list',
  'value.read',
  'value.read',
  'value.create',
  'list.create',
  'key.create',
  'key.create',
  'account.create',
];

describe('the audit trail', () => {
  test('is told newest first, of the own account alone', async () => {
    const { events, next_cursor } = await search();
    expect(events.map(({ action }) => action)).toEqual(ALL.slice(0, -1));
    expect(next_cursor).toBeNull();
    expect(new Set(events.map(({ account_id }) => account_id)).size).toBe(1);
    expect(events[3]).toEqual({
      id: expect.any(Number),
      occurred_at: expect.any(String),
      actor: 'api-key',
      account_id: expect.any(Number),
      key_id: writer.id,
      action: 'value.read',
      target_kind: 'value',
      target_id: value.id,
      target_parent_id: expect.any(Number),
      outcome: 'success',
      reason: null,
      request_id: expect.any(String),
      address: '127.0.0.1',
      occurrences: 1,
    });
  });

  test('of another account has none of these events', async () => {
    const answer = await send('GET', '/api/audit?target_kind=value', { token: stranger.token });
    expect(expectSuccess(answer)).toEqual({ events: [], next_cursor: null });
  });

  test('is closed to a key that may only read, since it tells of other keys and addresses', async () => {
    expectFailure(await send('GET', '/api/audit', { token: reader.token }), 403);
  });

  test('is filtered by each of the filters and by several', async () => {
    expect(await actionsOf({ action: 'value.list' })).toEqual(['value.list']);
    expect(await actionsOf({ key_id: String(reader.id) })).toEqual(['value.read']);
    expect(await actionsOf({ outcome: 'refused' })).toEqual(['value.read']);
    expect(await actionsOf({ target_kind: 'list' })).toEqual(['value.list', 'list.create']);
    const ofValue = { target_kind: 'value', target_id: String(value.id) };
    expect(await actionsOf(ofValue)).toEqual(['value.read', 'value.read', 'value.create']);
    expect(await actionsOf({ ...ofValue, action: 'value.read', key_id: String(writer.id) })).toEqual(['value.read']);
    expect(await actionsOf({ action: 'list.update' })).toEqual([]);
  });

  test('is filtered by time, the first moment included and the last one not', async () => {
    const { events } = await search();
    const [from, to] = [events.at(-2)?.occurred_at ?? '', events[1]?.occurred_at ?? ''];
    const expected = events.filter(({ occurred_at: at }) => at >= from && at < to);
    expect((await search({ from, to })).events).toEqual(expected);
    const elsewhere = from.replace('Z', '+00:00');
    expect((await search({ from: elsewhere, to })).events).toEqual(expected);
  });

  test('comes in pages that hold each event once', async () => {
    // Refusals of earlier tests are written a moment after their answers.
    await sleep(200);
    const ids: number[] = [];
    let pages = 0;
    for (let cursor: string | null = ''; cursor !== null; pages += 1) {
      const page = await search({ limit: '3', ...(cursor === '' ? {} : { cursor }) });
      ids.push(...page.events.map(({ id }) => id));
      cursor = page.next_cursor;
    }
    expect(pages).toBe(3);
    expect(ids).toEqual((await search()).events.map(({ id }) => id));
  });

  test('of many events is looked at in portions, however few of them fit', async () => {
    const fill = `INSERT INTO audit_events (occurred_at, actor, account_id, action, outcome)
      WITH RECURSIVE count (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < 45000)
      SELECT '2026-01-01T00:00:00.000Z', 'system', (SELECT id FROM accounts WHERE name = 'theirs'), 'unknown', 'success' FROM count`;
    query(server, fill);
    const pages: number[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const url = `/api/audit?action=list.create${cursor === '' ? '' : `&cursor=${cursor}`}`;
      const page: { events: unknown[]; next_cursor: string | null } = expectSuccess(
        await send('GET', url, { token: stranger.token }),
      );
      pages.push(page.events.length);
      cursor = page.next_cursor;
    }
    expect(pages).toEqual([0, 0, 1]);
  });

  test.each([
    ['from', 'yesterday'],
    ['from', '2026-13-01T00:00:00Z'],
    ['to', '2026-11-23'],
    ['key_id', 'x'],
    ['action', '{canary}'],
    ['target_kind', 'secret'],
    ['target_id', '-1'],
    ['outcome', 'maybe'],
    ['limit', '0'],
    ['limit', '1001'],
    ['limit', '1e2'],
    ['cursor', 'abc'],
  ])('answers 422 to %s=%s', async (field, text) => {
    const kind: Record<string, string> = field === 'target_id' ? { target_kind: 'list' } : {};
    const url = `/api/audit?${new URLSearchParams({ ...kind, [field]: text })}`;
    const answer = await send('GET', url);
    expectFailure(answer, 422, [field]);
    expect(answer.text).not.toContain('canary');
  });

  test('answers 422 to a filter that is sent twice, and to an id without its kind', async () => {
    expectFailure(await send('GET', '/api/audit?limit=1&limit=2'), 422, ['limit']);
    expectFailure(await send('GET', '/api/audit?target_id=5'), 422, ['target_kind']);
  });

  test('ignores filters that it does not know', async () => {
    expect(await actionsOf({ nothing: 'x', action: 'value.list' })).toEqual(['value.list']);
  });

  test('is searched with the key in the query too', async () => {
    const url = `/api/audit?key=${writer.token}&action=value.list`;
    expect(expectSuccess(await send('GET', url, { token: null })).events).toHaveLength(1);
  });
});

describe("a value's usage", () => {
  async function usageOf(key: string): Promise<unknown> {
    return expectSuccess(await send('GET', `${LISTS}/used/values/${key}/usage`, { token: reader.token }));
  }
  const never = { last_read_at: null, last_read_by: null, last_read_action: null };
  const by = (who: { id: number } | null, action: string) => ({
    last_read_at: expect.stringMatching(/^\d{4}-.*Z$/),
    last_read_by: who?.id ?? null,
    last_read_action: action,
  });

  beforeAll(async () => {
    await send('POST', LISTS, { body: { name: 'used' } });
    for (const key of ['A', 'B']) {
      await send('POST', `${LISTS}/used/values`, { body: { secret_key: key, secret_value: 'v' } });
    }
  });

  test('is the last read that gave it, of whatever kind', async () => {
    expect(await usageOf('A')).toEqual(never);
    await send('GET', `${LISTS}/used/values/A`);
    expect(await usageOf('A')).toEqual(by(writer, 'value.read'));
    expect(await usageOf('B')).toEqual(never);
    await send('GET', `${LISTS}/used/values`, { token: reader.token });
    expect(await usageOf('A')).toEqual(by(reader, 'value.list'));
    expect(await usageOf('B')).toEqual(by(reader, 'value.list'));
    const text = { headers: { 'content-type': 'text/plain' }, body: '${{secret.B}}' };
    await send('POST', '/api/cloud-init/render', text);
    expect(await usageOf('A')).toEqual(by(reader, 'value.list'));
    expect(await usageOf('B')).toEqual(by(writer, 'user-data.render'));
    await send('GET', '/api/secrets/all-values');
    expect(await usageOf('A')).toEqual(by(writer, 'value.list-all'));
  });

  test('of a value that is younger than the last read of everything is none', async () => {
    await send('GET', '/api/secrets/all-values');
    await new Promise((resolve) => setTimeout(resolve, 2));
    await send('POST', `${LISTS}/used/values`, { body: { secret_key: 'YOUNG', secret_value: 'v' } });
    expect(await usageOf('YOUNG')).toEqual(never);
    await send('GET', `${LISTS}/used/values/YOUNG/usage`);
    expect(await usageOf('YOUNG')).toEqual(never);
  });

  test('counts machines that fetch their seed', async () => {
    await server.request('POST', LISTS, { body: { name: 'machines' } });
    await server.request('POST', `${LISTS}/machines/values`, { body: { secret_key: 'M', secret_value: 'v' } });
    const instance = await newInstance(server, { user_data: '#cloud-config\npassword: ${{secret.M}}\n' });
    await fetchSeed(server, instance, 'user-data');
    const usage = await server.request('GET', `${LISTS}/machines/values/M/usage`);
    expect(expectSuccess(usage)).toEqual(by(null, 'seed.fetch'));
  });

  test('of a value that is not there is a 404', async () => {
    expectFailure(await send('GET', `${LISTS}/used/values/NONE/usage`), 404);
    expectFailure(await send('GET', `${VALUE}/usage`, { token: stranger.token }), 404);
  });
});
