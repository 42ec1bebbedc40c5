// The server of this process on a real port, and what every refusal over a socket must look like.

import type { AddressInfo } from 'node:net';
import { expect } from 'vitest';
import type { ServerBounds } from '../../src/domain/limits.ts';
import type { RawAnswer } from './raw-client.ts';
import { startTestServer, TEST_TOKEN, type TestServer } from './test-server.ts';

export interface ListeningServer extends TestServer {
  readonly port: number;
  /** Closes without waiting for the connections of tests. */
  end(): Promise<void>;
}

export async function startListeningServer(
  environment: Record<string, string> = {},
  bounds: Partial<ServerBounds> = {},
): Promise<ListeningServer> {
  const server = await startTestServer(environment, bounds);
  await server.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.app.server.address() as AddressInfo;
  return {
    ...server,
    port,
    async end() {
      server.app.server.closeAllConnections();
      await server.close();
    },
  };
}

/** The envelope, the headers of every answer, and nothing of the request. */
export function expectRefusal(answer: RawAnswer, status: number): void {
  expect(answer.status, answer.text).toBe(status);
  expect(answer.json).toMatchObject({ result: 'error', code: status, data: null, meta: [] });
  expect(answer.json.message).toMatch(/^[A-Z].*\.$/);
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
  expectCommonHeaders(answer);
  expect(answer.text).not.toContain(TEST_TOKEN);
  expect(answer.text).not.toContain('/api/');
}

export function expectCommonHeaders({ headers }: RawAnswer): void {
  expect(headers.get('cache-control')).toBe('no-store');
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
}
