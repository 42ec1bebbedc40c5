// The whole server in this process: real storage in a directory of its own, real keys, requests by inject().

import { setImmediate as nextTurn } from 'node:timers/promises';
import { composeAdministration, composeServer, type Server } from '../../src/compose.ts';
import { type Config, readConfig } from '../../src/config.ts';
import type { Right } from '../../src/domain/accounts.ts';
import { SERVER_BOUNDS, type ServerBounds } from '../../src/domain/limits.ts';
import { createLogger } from '../../src/logger.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** The first key of every test server; writes in the account `default`. */
export const TEST_TOKEN = 'a-key-of-the-tests-and-of-nothing-else';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  /** The body as it came. */
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of an answer.
  readonly json: any;
}

export interface RequestOptions {
  readonly token?: string | null;
  readonly headers?: Record<string, string | string[]>;
  /** Where the request comes from; 127.0.0.1 when absent. */
  readonly address?: string;
  /** An object is sent as JSON; text and bytes as they are, with the type given in `headers`. */
  readonly body?: unknown;
}

export interface TestServer extends Server {
  readonly config: Config;
  /** Every line that was logged. */
  readonly logLines: string[];
  request(method: string, url: string, options?: RequestOptions): Promise<Answer>;
  /** A form body instead of JSON. */
  form(method: string, url: string, fields: Record<string, string>): Promise<Answer>;
  /** Makes a key as the command line does, in the account of that name, which is created if need be. */
  newKey(account: string, rights?: Right, expiresAt?: Date): Promise<{ id: number; token: string }>;
  revokeKey(id: number): Promise<void>;
}

/** Tests fail on purpose, all from one address; those of the limits give their own. */
const TEST_BOUNDS: ServerBounds = { ...SERVER_BOUNDS, failureBurst: 1_000_000 };

export async function startTestServer(
  environment: Record<string, string> = {},
  bounds: Partial<ServerBounds> = {},
): Promise<TestServer> {
  const config = readConfig({
    SECRET_MANAGER_DATA_DIR: environment['SECRET_MANAGER_DATA_DIR'] ?? temporaryDirectory(),
    SECRET_MANAGER_API_KEY: TEST_TOKEN,
    PORT: '0',
    LOG_LEVEL: 'trace',
    ...environment,
  });
  const logLines: string[] = [];
  const logger = createLogger(config.logLevel, { write: (line) => void logLines.push(line) });
  const server = await composeServer(config, logger, () => undefined, {
    bounds: { ...TEST_BOUNDS, ...bounds },
  });

  async function request(method: string, url: string, options: RequestOptions = {}): Promise<Answer> {
    const { token = TEST_TOKEN, headers = {}, body } = options;
    // As from a socket: with a turn of the event loop of its own.
    await nextTurn();
    const isRaw = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
    const response = await server.app.inject({
      method: method as 'GET',
      url,
      ...(options.address === undefined ? {} : { remoteAddress: options.address }),
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(isRaw ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { payload: isRaw ? (body as string) : JSON.stringify(body) }),
    });
    const isJson = String(response.headers['content-type']).startsWith('application/json');
    return {
      status: response.statusCode,
      headers: response.headers,
      text: response.body,
      json: isJson && response.body !== '' ? response.json() : undefined,
    };
  }

  return {
    ...server,
    config,
    logLines,
    request,
    form: (method, url, fields) =>
      request(method, url, {
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams(fields).toString(),
      }),

    async newKey(account, rights = 'write', expiresAt) {
      const administration = await composeAdministration(config);
      try {
        const known = (await administration.accounts.list()).find(({ name }) => name === account);
        const { id: accountId } = known ?? (await administration.accounts.create(account));
        const request = { accountId, name: 'test', rights, expiresAt: expiresAt ?? null };
        const { apiKey, token } = await administration.apiKeys.create(request);
        return { id: apiKey.id, token };
      } finally {
        await administration.close();
      }
    },

    async revokeKey(id) {
      const administration = await composeAdministration(config);
      try {
        await administration.apiKeys.revoke(id);
      } finally {
        await administration.close();
      }
    },
  };
}
