// /api/cloud-init/instances: machines and the ways to hand them their seed, what each was given, and who holds a value.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestServer } from '../support/test-server.ts';
import { expectFailure, expectSuccess, TIME } from './api-answers.ts';
import { findAuditRows } from './database-file.ts';
import {
  fetchSeed,
  INSTANCES,
  newInstance,
  PUBLIC_URL,
  phoneHome,
  putSecret,
  showInstance,
  startSeedServer,
  VALUES,
} from './seed-stage.ts';

const USER_DATA = '#cloud-config\npassword: ${{secret.LOGIN}}\n';
const BARE = { user_data: '#cloud-config\n{}\n' };

let server: TestServer;
let reader: string;
let stranger: string;
let login: number;

beforeAll(async () => {
  server = await startSeedServer();
  reader = (await server.newKey('default', 'read')).token;
  stranger = (await server.newKey('others')).token;
  login = await putSecret(server, 'LOGIN', 'canary-1');
});
afterAll(() => server.close());

function create(body: Record<string, unknown>, token?: string) {
  return server.request('POST', INSTANCES, token === undefined ? { body } : { body, token });
}

describe('creating one', () => {
  test('answers the seed, and each way to hand a machine its URL', async () => {
    const answer = await create({ instance_id: 'i-1', hostname: 'one.example', user_data: USER_DATA });
    const { seed_url: url, ...data } = expectSuccess(answer);
    expect(url).toMatch(/^https:\/\/secrets\.example:8443\/nocloud\/sms_[0-9A-Za-z]{49}\/$/);
    expect(data).toEqual({
      id: expect.any(Number),
      instance_id: 'i-1',
      hostname: 'one.example',
      expires_in: null,
      source_cidr: null,
      created_at: expect.stringMatching(TIME),
      first_fetched_at: null,
      last_fetched_at: null,
      closed_at: null,
      closed_reason: null,
      phone_home: null,
      kernel_command_line: `ds=nocloud;dsmode=net;s=${url}`,
      smbios_serial: `ds=nocloud;dsmode=net;s=${url}`,
      include: `#include\n${url}user-data\n`,
    });
  });

  test('takes a form as well as JSON', async () => {
    const fields = { instance_id: 'form', hostname: 'form', ...BARE, expires_in: '60', source_cidr: '192.0.2.0/24' };
    expect(expectSuccess(await server.form('POST', INSTANCES, fields))).toMatchObject({
      expires_in: 60,
      source_cidr: '192.0.2.0/24',
    });
    expect(expectSuccess(await create({ ...fields, instance_id: 'json', expires_in: 60 }))).toMatchObject({
      expires_in: 60,
    });
  });

  test('gives each a token of its own, of 256 bits', async () => {
    const tokens = new Set<string>();
    for (let i = 0; i < 20; i += 1) tokens.add((await newInstance(server)).token);
    expect(tokens.size).toBe(20);
    // 43 characters of 62 hold 256 bits; six more are a checksum.
    for (const token of tokens) expect(token).toMatch(/^sms_[0-9A-Za-z]{49}$/);
  });

  test('lists everything that is wrong at once, in fields and in documents, and keeps nothing', async () => {
    const before = (await server.request('GET', INSTANCES)).text;
    const answer = await create({
      instance_id: ' ',
      hostname: 'no host',
      user_data: '#!/bin/sh\n${{secret.LOGIN | nothing}}\n${{secret.',
      vendor_data: '#!/bin/sh\n${{secret.}}',
      network_config: '${{secret.LOGIN',
      source_cidr: '192.0.2.0/33',
    });
    const documents = ['network_config', 'user_data', 'vendor_data'];
    expectFailure(answer, 422, ['hostname', 'instance_id', 'source_cidr', ...documents]);
    expect(answer.json.fields.user_data).toEqual([
      expect.stringMatching(/^Line 2, column 1: /),
      expect.stringMatching(/^Line 3, column 1: /),
    ]);
    for (const field of documents) expect(answer.json.fields[field][0]).toMatch(/^Line \d+, column \d+: /);
    expect((await server.request('GET', INSTANCES)).text).toBe(before);
  });

  test.each(['a..b', '-a', 'a-', 'a_b', 'a b', 'a\n', '', `${'a'.repeat(64)}.b`, `${'a.'.repeat(127)}`])(
    'refuses the host name %j',
    async (hostname) => {
      expectFailure(await create({ instance_id: 'refused', hostname, ...BARE }), 422, ['hostname']);
    },
  );

  test.each([
    '192.0.2.0/24/1',
    '192.0.2.0/',
    '192.0.2/24',
    'example.org',
    '2001:db8::/129',
    '192.0.2.0/-1',
    '192.0.2.0/ 24',
    '',
  ])('refuses the network %j', async (source_cidr) => {
    const body = { instance_id: 'refused', hostname: 'a', ...BARE, source_cidr };
    expectFailure(await create(body), 422, ['source_cidr']);
  });

  test('refuses half of a surrogate pair in a document, as in any other text', async () => {
    for (const field of ['user_data', 'vendor_data', 'network_config']) {
      const body = { instance_id: `half-${field}`, hostname: 'a', ...BARE, [field]: '#!/bin/sh\n\ud800' };
      expectFailure(await create(body), 422, [field]);
    }
  });

  test.each([0, -1, 1.5, 31_536_001, '0', '01', 'soon', '', null, true, [1]])(
    'refuses expires_in %j',
    async (expires) => {
      const body = { instance_id: 'refused', hostname: 'a', ...BARE, expires_in: expires };
      expectFailure(await create(body), 422, ['expires_in']);
    },
  );

  test('holds text to the same longest time as a number', async () => {
    const body = { instance_id: 'for-ever', hostname: 'a', ...BARE, expires_in: '99999999' };
    expectFailure(await create(body), 422, ['expires_in']);
  });

  test.each(['instance_id', 'hostname', 'user_data'])('needs %s', async (field) => {
    const body: Record<string, string> = { instance_id: 'lacking', hostname: 'a', ...BARE };
    delete body[field];
    expectFailure(await create(body), 422, [field]);
  });

  test('takes an id once in an account; in another account, and after a deletion, it is free', async () => {
    const body = { instance_id: 'twin', hostname: 'a', ...BARE };
    const { id } = expectSuccess(await create(body));
    expectFailure(await create(body), 422, ['instance_id']);
    expectSuccess(await create(body, stranger));
    expectSuccess(await server.request('DELETE', `${INSTANCES}/${id}`));
    expect(expectSuccess(await create(body)).id).toBeGreaterThan(id);
  });

  test('of many at once of one id, one succeeds', async () => {
    const body = { instance_id: 'raced', hostname: 'a', ...BARE };
    const answers = await Promise.all(Array.from({ length: 8 }, () => create(body)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(422)]);
  });

  test('may name a secret that is not there yet', async () => {
    expectSuccess(await create({ instance_id: 'early', hostname: 'a', user_data: '#!/bin/sh\n${{secret.LATER}}' }));
  });

  test('is for keys that may write, and leaves its event', async () => {
    expectFailure(await create({ instance_id: 'reader', hostname: 'a', ...BARE }, reader), 403);
    const answer = await create({ instance_id: 'audited', hostname: 'a', ...BARE });
    expect(findAuditRows(server, answer.headers['x-request-id'])).toMatchObject([
      { actor: 'api-key', action: 'instance.create', target_kind: 'instance', target_id: answer.json.data.id },
    ]);
  });
});

describe('reading', () => {
  test('the list has this account’s, by id, without their URLs; one is shown by id and by instance id', async () => {
    const first = await newInstance(server, { instance_id: 'shown' });
    const second = await newInstance(server);
    const list = expectSuccess(await server.request('GET', INSTANCES, { token: reader }));
    const ids = list.map(({ id }: { id: number }) => id);
    expect(ids).toEqual(ids.toSorted((a: number, b: number) => a - b));
    expect(ids.slice(-2)).toEqual([first.id, second.id]);
    expect(JSON.stringify(list)).not.toContain('sms_');
    const byId = await showInstance(server, first);
    expect(expectSuccess(await server.request('GET', `${INSTANCES}/shown`))).toEqual(byId);
    expect(byId).toMatchObject({ instance_id: 'shown', seed_url: first.seed_url, secrets: [] });
  });

  test('another account sees none of them', async () => {
    const { id } = await newInstance(server, { instance_id: 'ours' });
    const theirs = expectSuccess(await server.request('GET', INSTANCES, { token: stranger }));
    expect(theirs.map((each: { id: number }) => each.id)).not.toContain(id);
    const unknown = await server.request('GET', `${INSTANCES}/nothing`, { token: stranger });
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/reopen'],
    ] as const) {
      for (const name of ['ours', id]) {
        const answer = await server.request(method, `${INSTANCES}/${name}${path}`, { token: stranger });
        expect([answer.status, answer.text]).toEqual([404, unknown.text]);
      }
    }
    expect((await showInstance(server, { id })).closed_at).toBeNull();
  });
});

describe('the ledger', () => {
  test('shows what a machine was given: key, version, times, address, and whether it is old by now', async () => {
    const id = await putSecret(server, 'LEDGER', 'canary-a');
    const instance = await newInstance(server, { user_data: '#!/bin/sh\n${{secret.LEDGER}} ${{secret.LEDGER | b64}}' });
    await fetchSeed(server, instance, 'user-data', { from: '192.0.2.8' });
    const given = { value_id: id, secret_key: 'LEDGER', version: 1, last_address: '192.0.2.8' };
    const times = { first_delivered_at: expect.stringMatching(TIME), last_delivered_at: expect.stringMatching(TIME) };
    expect((await showInstance(server, instance)).secrets).toEqual([{ ...given, ...times, current_version: 1 }]);

    await putSecret(server, 'LEDGER', 'canary-b');
    expect(await holders('LEDGER')).toMatchObject([{ id: instance.id, version: 1, is_current: false }]);
    await fetchSeed(server, instance, 'user-data', { from: '192.0.2.9' });
    expect((await showInstance(server, instance)).secrets).toEqual([
      { ...given, ...times, current_version: 2 },
      { ...given, ...times, version: 2, last_address: '192.0.2.9', current_version: 2 },
    ]);
    expect(await holders('LEDGER')).toEqual([
      {
        id: instance.id,
        instance_id: expect.any(String),
        hostname: expect.any(String),
        version: 2,
        is_current: true,
        last_delivered_at: times.last_delivered_at,
      },
    ]);

    await server.request('DELETE', `${VALUES}/LEDGER`);
    const [old] = (await showInstance(server, instance)).secrets;
    expect(old).toMatchObject({ secret_key: 'LEDGER', version: 1, current_version: null });
    await putSecret(server, 'LEDGER', 'canary-c');
    expect(await holders('LEDGER')).toEqual([]);
  });

  test('of a value has each instance that holds it, by id, and none that is deleted or of another account', async () => {
    await putSecret(server, 'SHARED', 'canary');
    await putSecret(server, 'SHARED', 'their-canary', stranger);
    const fields = { user_data: '#!/bin/sh\n${{secret.SHARED}}' };
    const all = [await newInstance(server, fields), await newInstance(server, fields), await newInstance(server)];
    const theirs = await newInstance(server, fields, stranger);
    for (const each of [...all, theirs]) await fetchSeed(server, each, 'user-data');
    expect((await holders('SHARED')).map(({ id }) => id)).toEqual([all[0]?.id, all[1]?.id]);
    expect((await holders('SHARED', stranger)).map(({ id }) => id)).toEqual([theirs.id]);
    await server.request('DELETE', `${INSTANCES}/${all[0]?.id}`);
    expect((await holders('SHARED', reader)).map(({ id }) => id)).toEqual([all[1]?.id]);
    expectFailure(await server.request('GET', `${VALUES}/${login}/instances`, { token: stranger }), 404);
  });

  test('has what the machine reported home', async () => {
    const instance = await newInstance(server);
    await phoneHome(server, instance, { hostname: 'web', fqdn: 'web.example', pub_key_ed25519: 'ssh-ed25519 AAAA' });
    expect(await showInstance(server, instance)).toMatchObject({
      closed_at: expect.stringMatching(TIME),
      closed_reason: 'phone-home',
      phone_home: { hostname: 'web', fqdn: 'web.example', pub_key_ed25519: 'ssh-ed25519 AAAA' },
    });
  });

  async function holders(key: string, token?: string): Promise<{ id: number }[]> {
    return expectSuccess(await server.request('GET', `${VALUES}/${key}/instances`, token ? { token } : {}));
  }
});

test('reopening serves the seed again under the same URL, and deleting takes the instance away', async () => {
  const instance = await newInstance(server, { user_data: USER_DATA, instance_id: 'again' });
  await phoneHome(server, instance, { fqdn: 'before' });
  const reopened = await server.request('POST', `${INSTANCES}/again/reopen`);
  const open = { seed_url: instance.seed_url, closed_at: null, closed_reason: null, first_fetched_at: null };
  expect(expectSuccess(reopened)).toMatchObject(open);
  expect((await fetchSeed(server, instance, 'user-data')).text).toContain('canary-1');
  const deleted = await server.request('DELETE', `${INSTANCES}/again`);
  expect(expectSuccess(deleted)).toBeNull();
  for (const [method, path] of [
    ['GET', ''],
    ['DELETE', ''],
    ['POST', '/reopen'],
  ] as const) {
    expectFailure(await server.request(method, `${INSTANCES}/${instance.id}${path}`), 404);
  }
  for (const [action, answer] of [
    ['instance.reopen', reopened],
    ['instance.delete', deleted],
  ] as const) {
    expect(findAuditRows(server, answer.headers['x-request-id'])).toMatchObject([
      { actor: 'api-key', action, outcome: 'success', target_kind: 'instance', target_id: instance.id },
    ]);
  }
  expect(instance.seed_url.startsWith(`${PUBLIC_URL}/nocloud/`)).toBe(true);
});
