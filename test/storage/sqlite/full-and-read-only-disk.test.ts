// A disk that is full or read-only: what it refuses, what goes on, and that writes recover by themselves.
// Needs to mount a file system of its own, as root on CI may.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findAuditRows } from '../../http/database-file.ts';
import { runCommand } from '../../support/server-process.ts';
import { startTestServer, type TestServer } from '../../support/test-server.ts';
import { canMountDisks, mountSmallDisk, type SmallDisk } from './small-disk.ts';

const isMountable = canMountDisks();
const VALUE = 'v'.repeat(100_000);

describe.runIf(isMountable)('a disk that is full while the server runs', () => {
  let disk: SmallDisk;
  let server: TestServer;
  let stored = 0;
  beforeAll(async () => {
    disk = mountSmallDisk(8_000) as SmallDisk;
    server = await startTestServer({ SECRET_MANAGER_DATA_DIR: disk.directory });
    await server.request('POST', '/api/secrets/lists', { body: { name: 'list' } });
  });
  afterAll(async () => {
    await server.close();
    disk.unmount();
  });

  function store(key: string, value = VALUE) {
    const body = { secret_key: key, secret_value: value };
    return server.request('POST', '/api/secrets/lists/list/values', { body });
  }

  test('answers writes with 507 and the envelope, and keeps all that was acknowledged', async () => {
    disk.fill(1_000_000);
    let answer = await store(`KEY ${stored}`);
    while (answer.status === 200 && stored < 100) {
      stored += 1;
      answer = await store(`KEY ${stored}`);
    }
    expect(answer.status).toBe(507);
    expect(answer.json).toEqual({
      result: 'error',
      message: 'The disk of the server is full; nothing was changed.',
      code: 507,
      data: null,
      meta: [],
    });
    expect(stored).toBeGreaterThan(2);
    const listed = await server.request('GET', '/api/secrets/lists/list/values');
    expect(listed.status).toBe(200);
    const keys = listed.json.data.map(({ secret_key }: { secret_key: string }) => secret_key);
    expect(keys).toEqual(Array.from({ length: stored }, (_, i) => `KEY ${i}`));
  });

  test('goes on reading, and auditing that, while every kind of write is refused', async () => {
    const values = '/api/secrets/lists/list/values';
    const writes = [
      () => store('SMALL', ''),
      () => server.request('POST', '/api/secrets/lists', { body: { name: 'another' } }),
      () => server.request('POST', `${values}/KEY%200`, { body: { secret_value: '' } }),
      () => server.request('DELETE', '/api/secrets/lists/list'),
    ];
    for (const write of writes) expect((await write()).status).toBe(507);
    for (let i = 0; i < 100; i += 1) {
      const read = await server.request('GET', `${values}/KEY%200`);
      expect(read.status).toBe(200);
      expect(read.json.data.secret_value).toBe(VALUE);
      expect(findAuditRows(server, read.headers['x-request-id'])).toHaveLength(1);
    }
    expect((await server.request('GET', '/healthz')).status).toBe(200);
    expect((await server.request('GET', '/readyz')).status).toBe(200);
    expect(server.logLines.filter((line) => line.includes('the disk is full'))).toHaveLength(1);
  });

  test('gives no value any more when another program takes what was kept in reserve too', async () => {
    disk.fill(0);
    let read = await server.request('GET', '/api/secrets/all-values');
    for (let i = 0; i < 2_000 && read.status === 200; i += 1) {
      read = await server.request('GET', '/api/secrets/all-values');
    }
    expect(read.status).toBe(507);
    expect(read.text).not.toContain('vvv');
    expect((await server.request('GET', '/api/secrets/lists')).status).toBe(200);
  });

  test('stores again by itself once there is room, and nothing was lost', async () => {
    disk.empty();
    expect((await store('AFTER')).status).toBe(200);
    const listed = await server.request('GET', '/api/secrets/all-values');
    const long = listed.json.data.filter(({ secret_value }: { secret_value: string }) => secret_value === VALUE);
    expect(long).toHaveLength(stored + 1);
    expect((await server.request('GET', '/readyz')).status).toBe(200);
  });
});

describe.runIf(isMountable)('a start on a disk', () => {
  let disk: SmallDisk;
  beforeEach(() => {
    disk = mountSmallDisk(2_000) as SmallDisk;
    return () => disk.unmount();
  });

  function start() {
    return startTestServer({ SECRET_MANAGER_DATA_DIR: disk.directory });
  }

  // Where it ends: making the file, opening it, migrating, writing the root key, initialising.
  test.each([0, 20_480, 49_152, 135_168, 155_648])(
    'that has %i bytes free is refused in one sentence, and works once there is room',
    async (freeBytes) => {
      disk.fill(freeBytes);
      await expect(start()).rejects.toMatchObject({ name: expect.stringMatching(/^(OperatorError|ApiError)$/) });
      disk.empty();
      const server = await start();
      expect((await server.request('GET', '/api/secrets/lists')).status).toBe(200);
      await server.close();
    },
  );

  test('that is read-only is refused in one sentence that names it', async () => {
    disk.setReadOnly();
    const refusal = `The data directory ${disk.directory} cannot be used (EROFS); check its owner, mode and mount`;
    await expect(start()).rejects.toMatchObject({
      name: 'OperatorError',
      kind: 'storage',
      message: expect.stringContaining(refusal),
    });
  });

  test('that became read-only ends the process with 5, and no command works on it', async () => {
    await (await start()).close();
    disk.setReadOnly();
    const environment = { SECRET_MANAGER_DATA_DIR: disk.directory, PORT: '0' };
    const outcomes = await Promise.all([runCommand(['serve'], environment), runCommand(['key', 'list'], environment)]);
    for (const { exitCode, stderr } of outcomes) {
      expect(stderr.trim().split('\n')).toEqual([expect.stringContaining('check')]);
      expect(exitCode).toBe(5);
    }
  });
});
