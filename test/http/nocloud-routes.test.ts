// /nocloud/{token}/…: a seed while it is open, from current values; its tombstone ever after; and a token that opens
// nothing else. What is kept and logged of it is in seed-secrecy.test.ts.

import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { expectCommonHeaders, expectFailure, expectSuccess } from './api-answers.ts';
import {
  fetchSeed,
  INSTANCES,
  type NewInstance,
  newInstance,
  phoneHome,
  putSecret,
  SEED_FILES,
  showInstance,
  startSeedServer,
} from './seed-stage.ts';

const USER_DATA = '#cloud-config\npassword: ${{secret.LOGIN}}\n';
const VENDOR_DATA = '#cloud-config\ntimezone: ${{secret.ZONE}}\n';

let server: TestServer;

beforeAll(async () => {
  server = await startSeedServer();
  await putSecret(server, 'LOGIN', 'canary: 1');
  await putSecret(server, 'ZONE', 'UTC');
});
afterAll(() => server.close());
afterEach(() => void vi.useRealTimers());

async function texts(instance: NewInstance, from?: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const file of SEED_FILES) {
    const answer = await fetchSeed(server, instance, file, from === undefined ? {} : { from });
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'text/plain; charset=utf-8']);
    expectCommonHeaders(answer);
    files[file] = answer.text;
  }
  return files;
}

/** The same machine, with nothing to do. */
async function expectTombstone(instance: NewInstance, metaData: string | undefined): Promise<void> {
  const tombstone = { 'user-data': '#cloud-config\n{}\n', 'vendor-data': '', 'network-config': '' };
  expect(await texts(instance)).toEqual({ 'meta-data': metaData, ...tombstone });
}

describe('an open seed', () => {
  test('is the four files, without an API key', async () => {
    const network = 'version: 2\nethernets: {}\n';
    const fields = { instance_id: 'the: machine', hostname: 'web.example', user_data: USER_DATA };
    const instance = await newInstance(server, { ...fields, network_config: network });
    const files = await texts(instance);
    expect(parse(files['meta-data'] ?? '')).toEqual({ 'instance-id': 'the: machine', 'local-hostname': 'web.example' });
    expect(files['user-data']).toBe('#cloud-config\npassword: "canary: 1"\n');
    expect(files['network-config']).toBe(network);
    expect(files['vendor-data']).toMatch(/^#cloud-config\n/);
    expect(parse(files['vendor-data'] ?? '')).toMatchObject({
      manual_cache_clean: true,
      phone_home: { url: `${instance.seed_url}phone-home` },
    });
  });

  test('has its own vendor-data merged with what phones home', async () => {
    const instance = await newInstance(server, { vendor_data: VENDOR_DATA });
    const { 'vendor-data': merged = '' } = await texts(instance);
    expect(merged).toMatch(/^Content-Type: multipart\/mixed; boundary="[^"]+"\nMIME-Version: 1\.0\n/);
    const parts = [...merged.matchAll(/base64\n\n([A-Za-z0-9+/=\n]+?)\n--/g)].map(([, text = '']) => atob(text));
    expect(parts[0]).toBe('#cloud-config\ntimezone: UTC\n');
    expect(parse(parts[1] ?? '')).toMatchObject({ manual_cache_clean: true, phone_home: expect.any(Object) });
    expect(parts).toHaveLength(2);
    expect((await showInstance(server, instance)).secrets).toMatchObject([{ secret_key: 'ZONE' }]);
  });

  test('has vendor-data that is a message as a message in it: as text cloud-init would ignore it', async () => {
    const message = 'Content-Type: multipart/mixed; boundary="own"\nMIME-Version: 1.0\n\n--own\n\na\n--own--\n';
    const { 'vendor-data': merged } = await texts(await newInstance(server, { vendor_data: message }));
    expect(merged).toMatch(/\n--[^\n]+\nContent-Type: multipart\/mixed; boundary="own"\n/);
  });

  test('answers files that it was not given with 200 and nothing in them', async () => {
    const instance = await newInstance(server, { user_data: '' });
    expect(await texts(instance)).toMatchObject({ 'user-data': '', 'network-config': '' });
  });

  test('writes a value into network-config so that it stays one YAML value', async () => {
    await putSecret(server, 'WIFI', 'a: b\nversion: 1');
    const instance = await newInstance(server, { network_config: 'version: 2\nwifis: {w: ${{secret.WIFI}}}\n' });
    const { 'network-config': network = '' } = await texts(instance);
    expect(parse(network)).toEqual({ version: 2, wifis: { w: 'a: b\nversion: 1' } });
  });

  test('is rendered anew at each fetch, from its own account alone', async () => {
    const { token } = await server.newKey('neighbour');
    await putSecret(server, 'ROTATED', 'theirs', token);
    const fields = { user_data: '#!/bin/sh\n${{secret.ROTATED}}' };
    const [ours, theirs] = [await newInstance(server, fields), await newInstance(server, fields, token)];
    for (const value of ['first', 'second']) {
      await putSecret(server, 'ROTATED', value);
      expect((await fetchSeed(server, ours, 'user-data')).text).toBe(`#!/bin/sh\n${value}`);
      expect((await fetchSeed(server, theirs, 'user-data')).text).toBe('#!/bin/sh\ntheirs');
    }
    const versions = (await showInstance(server, ours)).secrets.map(({ version }: { version: number }) => version);
    expect(versions).toEqual([1, 2]);
    expect((await showInstance(server, theirs, token)).secrets).toMatchObject([{ version: 1, current_version: 1 }]);
  });

  test('of a document over 8 KiB is rendered too', async () => {
    const filler = `# ${'x'.repeat(70)}\n`.repeat(200);
    const instance = await newInstance(server, { user_data: USER_DATA + filler });
    expect((await fetchSeed(server, instance, 'user-data')).text).toBe(
      `#cloud-config\npassword: "canary: 1"\n${filler}`,
    );
  });

  test('answers HEAD as GET without a body, and delivers nothing by it', async () => {
    const instance = await newInstance(server, { user_data: USER_DATA, expires_in: 1 });
    for (const file of SEED_FILES) {
      const head = await fetchSeed(server, instance, file, { method: 'HEAD' });
      expect([head.status, head.text]).toEqual([200, '']);
      const untouched = { secrets: [], first_fetched_at: null, last_fetched_at: null };
      if (file === 'meta-data') expect(await showInstance(server, instance)).toMatchObject(untouched);
      if (file !== 'network-config') continue;
      expect(await showInstance(server, instance)).toMatchObject(untouched);
      const get = await fetchSeed(server, instance, 'user-data');
      const again = await fetchSeed(server, instance, 'user-data', { method: 'HEAD' });
      expect(again.headers['content-length']).toBe(get.headers['content-length']);
    }
  });

  test('that cannot be rendered yet is 503 with Retry-After, delivers nothing, and comes when it can', async () => {
    const instance = await newInstance(server, { user_data: '#!/bin/sh\n${{secret.LOGIN}} ${{secret.LATE}}' });
    const early = await fetchSeed(server, instance, 'user-data');
    expectFailure(early, 503);
    expect(early.text).not.toMatch(/canary|LATE/);
    expect(await showInstance(server, instance)).toMatchObject({ secrets: [], first_fetched_at: null });
    await putSecret(server, 'LATE', 'now');
    expect((await fetchSeed(server, instance, 'user-data')).text).toBe('#!/bin/sh\ncanary: 1 now');
    expect((await showInstance(server, instance)).secrets).toHaveLength(2);
  });
});

describe('a closed seed', () => {
  const full = { user_data: USER_DATA, vendor_data: VENDOR_DATA, network_config: 'version: 2\n' };

  test('by phone-home is its tombstone, with the same meta-data', async () => {
    const instance = await newInstance(server, full);
    const { 'meta-data': metaData } = await texts(instance);
    const before = (await showInstance(server, instance)).secrets;
    expect(await phoneHome(server, instance, { hostname: 'web' })).toMatchObject({ status: 200, text: 'ok\n' });
    await expectTombstone(instance, metaData);
    expect((await showInstance(server, instance)).secrets).toEqual(before);
  });

  test('by deletion is its tombstone, for good', async () => {
    const instance = await newInstance(server, full);
    const { 'meta-data': metaData } = await texts(instance);
    expectSuccess(await server.request('DELETE', `${INSTANCES}/${instance.id}`));
    await expectTombstone(instance, metaData);
    expect((await phoneHome(server, instance)).status).toBe(200);
    await expectTombstone(instance, metaData);
  });

  test('by time: expires_in after its first fetch, not after its creation or a later fetch', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const start = Date.now();
    const instance = await newInstance(server, { ...full, expires_in: 60 });
    vi.setSystemTime(start + 3_600_000);
    const { 'meta-data': metaData, 'user-data': userData } = await texts(instance);
    vi.setSystemTime(start + 3_659_000);
    expect((await texts(instance))['user-data']).toBe(userData);
    vi.setSystemTime(start + 3_660_001);
    await expectTombstone(instance, metaData);
    expectSuccess(await server.request('POST', `${INSTANCES}/${instance.id}/reopen`));
    expect((await texts(instance))['user-data']).toBe(userData);
    vi.setSystemTime(start + 3_720_002);
    await expectTombstone(instance, metaData);
  });

  test('while it is being rendered is not delivered any more', async () => {
    const lines = Array.from({ length: 5_000 }, (_, i) => `k${i}: "\${{secret.LOGIN}}"\n`);
    const instance = await newInstance(server, { user_data: `#cloud-config\n${lines.join('')}` });
    const fetching = fetchSeed(server, instance, 'user-data');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expectSuccess(await server.request('DELETE', `${INSTANCES}/${instance.id}`));
    expect((await fetching).text).toBe('#cloud-config\n{}\n');
  });

  test('keeps what was reported first: phoning home again is answered alike and changes nothing', async () => {
    const instance = await newInstance(server, full);
    await phoneHome(server, instance, { fqdn: 'first.example' });
    const first = await showInstance(server, instance);
    expect(await phoneHome(server, instance, { fqdn: 'second.example' })).toMatchObject({ status: 200, text: 'ok\n' });
    expect(await showInstance(server, instance)).toEqual(first);
  });
});

describe('phoning home', () => {
  test('keeps the fields that cloud-init sends, 4,096 characters of each, and no others', async () => {
    const instance = await newInstance(server);
    const known = {
      instance_id: 'i',
      hostname: 'h'.repeat(5_000),
      fqdn: 'f',
      pub_key_rsa: 'r',
      pub_key_ecdsa: 'e',
      pub_key_ed25519: 'd',
    };
    await phoneHome(server, instance, { ...known, pub_key_dsa: 'old', shadow: 'canary', __proto__x: 'y' });
    expect((await showInstance(server, instance)).phone_home).toEqual({ ...known, hostname: 'h'.repeat(4_096) });
  });

  test('closes whatever is sent: nothing, a field twice, a form without values', async () => {
    for (const body of ['', 'hostname=a&hostname=b', 'hostname', '=&=']) {
      const instance = await newInstance(server);
      expect((await phoneHome(server, instance, body)).status).toBe(200);
      expect((await showInstance(server, instance)).closed_reason).toBe('phone-home');
    }
  });

  test('takes POST alone: a GET closes nothing', async () => {
    const instance = await newInstance(server);
    const answer = await fetchSeed(server, instance, 'phone-home');
    expect([answer.status, answer.headers['allow']]).toEqual([405, 'POST']);
    expect((await showInstance(server, instance)).closed_at).toBeNull();
  });
});

describe('the network of a seed', () => {
  test.each([
    ['192.0.2.0/24', '192.0.2.255', '192.0.3.0'],
    ['192.0.2.0/24', '::ffff:192.0.2.1', '::ffff:192.0.3.1'],
    ['192.0.2.7', '192.0.2.7', '192.0.2.8'],
    ['2001:db8::/32', '2001:db8:ffff::1', '2001:db9::1'],
    ['2001:db8::1', '2001:db8::1', '192.0.2.7'],
  ])('%s takes %s, and refuses %s with 404', async (source_cidr, inside, outside) => {
    const instance = await newInstance(server, { user_data: USER_DATA, source_cidr });
    for (const file of SEED_FILES) expectFailure(await fetchSeed(server, instance, file, { from: outside }), 404);
    expectFailure(await phoneHome(server, instance, {}, outside), 404);
    expect(await showInstance(server, instance)).toMatchObject({
      secrets: [],
      first_fetched_at: null,
      closed_at: null,
    });
    expect((await texts(instance, inside))['user-data']).toContain('canary');
    expect((await showInstance(server, instance)).secrets).toMatchObject([{ last_address: inside }]);
    expect((await phoneHome(server, instance, {}, inside)).status).toBe(200);
  });
});

describe('a token', () => {
  test('opens no route of the API, and an API key opens no seed', async () => {
    const instance = await newInstance(server, { user_data: USER_DATA });
    for (const url of [INSTANCES, `${INSTANCES}/${instance.id}`, '/api/secrets/all-values']) {
      expectFailure(await server.request('GET', url, { token: instance.token }), 401);
      expectFailure(await server.request('GET', `${url}?key=${instance.token}`, { token: null }), 401);
    }
    const { token } = await server.newKey('default');
    for (const file of SEED_FILES) expectFailure(await fetchSeed(server, { seed: `/nocloud/${token}/` }, file), 404);
  });

  test('belongs to one seed: any other is the one 404', async () => {
    const { token } = await newInstance(server);
    const unknown = await fetchSeed(server, { seed: `/nocloud/sms_${'0'.repeat(49)}/` }, 'user-data');
    expectFailure(unknown, 404);
    for (const other of [token.slice(0, -1), `${token}0`, token.toLowerCase(), `%20${token}`, 'a', '%00', '']) {
      expect((await fetchSeed(server, { seed: `/nocloud/${other}/` }, 'meta-data')).status).toBe(404);
      expect((await phoneHome(server, { seed: `/nocloud/${other}/` })).status).toBe(404);
    }
    expect((await fetchSeed(server, { seed: `/nocloud/${token}/` }, 'other')).status).toBe(404);
  });
});

test('without a public URL the seed is where the server listens, and is fetched from there', async () => {
  const listening = await startTestServer();
  try {
    await listening.app.listen({ host: '127.0.0.1', port: 0 });
    const instance = await newInstance(listening, { hostname: 'over-http' });
    const { port } = listening.app.server.address() as AddressInfo;
    expect(instance.seed_url).toBe(`http://127.0.0.1:${port}/nocloud/${instance.token}/`);
    expect(await (await fetch(`${instance.seed_url}meta-data`)).text()).toContain('over-http');
    const { url } = parse(await (await fetch(`${instance.seed_url}vendor-data`)).text()).phone_home;
    expect((await fetch(url, { method: 'POST', body: new URLSearchParams({ hostname: 'a' }) })).status).toBe(200);
    expect((await showInstance(listening, instance)).phone_home).toEqual({ hostname: 'a' });
  } finally {
    await listening.close();
  }
});
