// The program as a user starts it.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startServerProcess } from './support/server-process.ts';
import { startTestServer, TEST_TOKEN } from './support/test-server.ts';

describe('the server process', () => {
  test('starts, answers, and ends with 0 on SIGTERM', async () => {
    const server = await startServerProcess();
    const response = await server.fetch('/api/secrets/lists');
    expect(response.status).toBe(200);
    expect(statSync(join(server.dataDirectory, 'root.key')).mode & 0o777).toBe(0o600);
    expect((await server.stop()).exit).toBe(0);
  });
});

describe('the server in this process', () => {
  test('answers an injected request', async () => {
    const server = await startTestServer();
    const created = await server.request('POST', '/api/secrets/lists', { body: { name: 'production' } });
    expect(created.status).toBe(200);
    const { token } = await server.newKey('other');
    expect((await server.request('GET', '/api/secrets/lists', { token })).json.data).toEqual([]);
    expect((await server.request('GET', '/api/secrets/lists', { token: TEST_TOKEN })).json.data).toHaveLength(1);
    await server.close();
  });
});
