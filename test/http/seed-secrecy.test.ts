// What stays of seeds: audit events of each fetch, refused ones too; templates, tokens and values nowhere in clear,
// neither in the database nor in a log line.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Answer, TestServer } from '../support/test-server.ts';
import { type AuditRow, findAuditRows, query, readAuditRows } from './database-file.ts';
import {
  fetchSeed,
  INSTANCES,
  type NewInstance,
  newInstance,
  phoneHome,
  putSecret,
  SEED_FILES,
  startSeedServer,
} from './seed-stage.ts';

const CANARY = 'cAnArY7f3b';
const TRACES = [
  new RegExp(CANARY, 'i'),
  new RegExp(Buffer.from(`xx${CANARY}`).toString('base64').slice(3, 14)),
  new RegExp(Buffer.from(`x${CANARY}`).toString('base64').slice(2, 13)),
  new RegExp(Buffer.from(CANARY).toString('base64').slice(0, 13)),
  new RegExp(Buffer.from(CANARY).toString('hex'), 'i'),
];
const TEMPLATE = `#cloud-config\n# ${CANARY}\npassword: \${{secret.LOGIN}}\n`;
/** Refusals are written in groups, some time after the answer. */
const SOON = { interval: 10, timeout: 5_000 };

let server: TestServer;
const tokens: string[] = [];

async function instanceWith(fields: Record<string, unknown> = {}): Promise<NewInstance> {
  const instance = await newInstance(server, { user_data: TEMPLATE, ...fields });
  tokens.push(instance.token);
  return instance;
}

beforeAll(async () => {
  server = await startSeedServer();
  await putSecret(server, 'LOGIN', CANARY);
});
afterAll(() => server.close());

function eventOf(answer: Answer): Promise<AuditRow | undefined> {
  return vi.waitFor(() => {
    const rows = findAuditRows(server, answer.headers['x-request-id']);
    expect(rows).toHaveLength(1);
    return rows[0];
  }, SOON);
}

describe('an audit event is written', () => {
  const by = (instance: NewInstance, address = '192.0.2.7') => ({
    actor: 'instance',
    api_key_id: null,
    target_kind: 'instance',
    target_id: instance.id,
    target_parent_id: null,
    address,
    occurrences: 1,
  });

  test.each(SEED_FILES)('of each fetch of %s', async (file) => {
    const instance = await instanceWith();
    const event = await eventOf(await fetchSeed(server, instance, file, { from: '2001:db8::7' }));
    const success = { action: 'seed.fetch', outcome: 'success', reason: null };
    expect(event).toMatchObject({ ...by(instance, '2001:db8::7'), ...success });
    const [account] = query<{ id: number }>(server, "SELECT id FROM accounts WHERE name = 'default'");
    expect(event?.account_id).toBe(account?.id);
  });

  test('of phoning home', async () => {
    const instance = await instanceWith();
    const event = await eventOf(await phoneHome(server, instance, { fqdn: CANARY }));
    expect(event).toMatchObject({ ...by(instance), action: 'seed.phone-home', outcome: 'success' });
  });

  test('of a fetch after the end: who asks again may be who should not', async () => {
    const instance = await instanceWith();
    await phoneHome(server, instance);
    for (const file of SEED_FILES) {
      const event = await eventOf(await fetchSeed(server, instance, file));
      expect(event).toMatchObject({ ...by(instance), action: 'seed.fetch', outcome: 'refused', reason: 'seed_closed' });
    }
  });

  test('of a fetch from elsewhere', async () => {
    const instance = await instanceWith({ source_cidr: '198.51.100.0/24' });
    const event = await eventOf(await fetchSeed(server, instance, 'user-data'));
    expect(event).toMatchObject({
      ...by(instance),
      action: 'seed.fetch',
      outcome: 'refused',
      reason: 'seed_forbidden',
    });
  });

  test('of phoning home from elsewhere, as that and not as a fetch', async () => {
    const instance = await instanceWith({ source_cidr: '198.51.100.0/24' });
    const event = await eventOf(await phoneHome(server, instance));
    expect(event).toMatchObject({ ...by(instance), action: 'seed.phone-home', reason: 'seed_forbidden' });
  });

  test('of a fetch that could not be rendered', async () => {
    const instance = await instanceWith({ user_data: '#!/bin/sh\n${{secret.NOTHING}}' });
    const event = await eventOf(await fetchSeed(server, instance, 'user-data'));
    expect(event).toMatchObject({ ...by(instance), outcome: 'refused', reason: 'seed_not_ready' });
  });

  test('or the seed does not leave', async () => {
    const instance = await instanceWith();
    query(server, "CREATE TRIGGER refuse BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'refused'); END");
    const answer = await fetchSeed(server, instance, 'user-data');
    query(server, 'DROP TRIGGER refuse');
    expect(answer.status).toBeGreaterThanOrEqual(500);
    expect(answer.text).not.toContain(CANARY);
    expect(query(server, 'SELECT * FROM instance_secrets WHERE instance = ?', instance.id)).toEqual([]);
  });
});

describe('templates, tokens and values', () => {
  beforeAll(async () => {
    const instance = await instanceWith({ vendor_data: TEMPLATE, network_config: `# ${CANARY}\n` });
    for (const file of [...SEED_FILES, 'other', 'user-data/', `user-data?${CANARY}`]) {
      await fetchSeed(server, instance, file);
      await fetchSeed(server, instance, file, { method: 'HEAD' });
    }
    for (const seed of [`/nocloud/${CANARY}`, `${instance.seed}%zz/`, `/NOCLOUD/${CANARY}/`, `${instance.seed}/`]) {
      await fetchSeed(server, { seed: `${seed}/` }, 'user-data');
    }
    await server.request('PUT', `${instance.seed}user-data`, { token: null, body: CANARY });
    await server.request('GET', INSTANCES, { token: instance.token });
    await server.request('GET', `${INSTANCES}?key=${instance.token}`, { token: null });
    await server.request('GET', `${INSTANCES}/${instance.id}`);
    const bad = { instance_id: `${CANARY}\n`, hostname: `${CANARY} `, user_data: `\${{secret.${CANARY}}} \${{secret.` };
    expect((await server.request('POST', INSTANCES, { body: { ...bad, source_cidr: CANARY } })).status).toBe(422);
    await server.request('POST', '/api/cloud-init/render', {
      headers: { 'content-type': 'text/plain' },
      body: TEMPLATE,
    });
    await phoneHome(server, instance, '%zz');
    await phoneHome(server, instance, { hostname: 'web' });
    const damaged = await instanceWith();
    query(server, 'UPDATE instances SET sealed_template = zeroblob(80) WHERE id = ?', damaged.id);
    const answer = await fetchSeed(server, damaged, 'user-data');
    expect([answer.status, answer.text.includes(CANARY)]).toEqual([500, false]);
    query(server, 'DELETE FROM instances WHERE id = ?', damaged.id);
  });

  test('are in no file of the server', () => {
    const directory = server.config.dataDirectory;
    const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(files.length).toBeGreaterThan(1);
    for (const { name, parentPath } of files) {
      const content = readFileSync(join(parentPath, name)).toString('latin1');
      // What a machine says of itself is kept as it is, in the one test that reports the canary.
      const kept = content.replaceAll(`{"fqdn":"${CANARY}"}`, '');
      for (const trace of TRACES) expect([name, trace.test(kept)]).toEqual([name, false]);
      for (const token of tokens) expect([name, content.includes(token)]).toEqual([name, false]);
    }
  });

  test('are in no log line at the finest level; the pattern of the route is', () => {
    const lines = server.logLines.join('');
    for (const trace of TRACES) expect(lines).not.toMatch(trace);
    for (const token of tokens) expect(lines).not.toContain(token.slice(4, 20));
    for (const file of [...SEED_FILES, 'phone-home']) expect(lines).toContain(`"route":"/nocloud/:token/${file}"`);
  });

  test('are in no audit event, and neither is an instance id', () => {
    const rows = JSON.stringify(readAuditRows(server));
    for (const trace of TRACES) expect(rows).not.toMatch(trace);
    for (const token of tokens) expect(rows).not.toContain(token.slice(4, 20));
    expect(rows).not.toContain('machine-');
  });

  test('of a deleted instance are gone, but for the tombstone', async () => {
    const instance = await instanceWith();
    await server.request('DELETE', `${INSTANCES}/${instance.id}`);
    const rows = query(server, 'SELECT sealed_template FROM instances WHERE id = ?', instance.id);
    expect(rows).toEqual([{ sealed_template: null }]);
  });

  test('swapped between two instances in the database open neither', async () => {
    const [one, other] = [await instanceWith(), await instanceWith()];
    query(
      server,
      `UPDATE instances SET sealed_template = (SELECT sealed_template FROM instances WHERE id = ?) WHERE id = ?`,
      other.id,
      one.id,
    );
    expect((await fetchSeed(server, one, 'user-data')).status).toBe(500);
    expect((await fetchSeed(server, other, 'user-data')).status).toBe(200);
  });
});
