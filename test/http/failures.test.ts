// Whatever a service throws: a known code becomes its row in the table of errors, anything else a 500 that tells nothing.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { buildApp } from '../../src/app.ts';
import { AlreadyTakenError, ApiError, ERRORS, type ErrorCode, OperatorError } from '../../src/domain/errors.ts';
import { SERVER_BOUNDS } from '../../src/domain/limits.ts';
import type { App } from '../../src/http/app-types.ts';
import { createLogger } from '../../src/logger.ts';
import { createFailuresService } from '../../src/services/failures-service.ts';
import type { Answer } from '../support/test-server.ts';
import { expectEnvelope, expectFailure } from './api-answers.ts';

const CANARY = 'canary-5f1d';
let thrown: unknown;
let isStopping: boolean;
const logLines: string[] = [];
let app: App;

beforeEach(() => {
  isStopping = false;
  logLines.length = 0;
});

beforeAll(async () => {
  const fail = async () => {
    throw thrown;
  };
  const services = new Proxy({}, { get: () => fail }) as never;
  app = await buildApp({
    logger: createLogger('trace', { write: (line) => void logLines.push(line) }),
    lists: services,
    values: services,
    listAnswers: services,
    answers: services,
    revisionOf: async () => 'a revision',
    authentication: {
      authenticate: async () => ({ id: 7, accountId: 1, rights: 'write' }) as never,
    },
    refusals: { record: () => undefined, close: async () => undefined },
    failures: createFailuresService(SERVER_BOUNDS, () => undefined),
    bounds: SERVER_BOUNDS,
    audit: services,
    userData: services,
    instances: services,
    seeds: services,
    baseUrl: () => '',
    checkReady: fail,
    isStopping: () => isStopping,
  });
});
afterAll(() => app.close());

async function ask(url = '/api/secrets/lists', method: 'GET' | 'POST' = 'GET'): Promise<Answer> {
  const response = await app.inject({ method, url });
  return { status: response.statusCode, headers: response.headers, text: response.body, json: response.json() };
}

describe('an error of the table', () => {
  test.each(Object.entries(ERRORS))(
    '%s is answered with its status and sentence',
    async (code, { status, message }) => {
      const fields = code === 'invalid_fields' ? { fields: { name: ['Another name is needed.'] } } : {};
      thrown = new ApiError(code as ErrorCode, { cause: new Error(CANARY), ...fields });
      for (const answer of [
        await ask(),
        await ask('/api/secrets/lists/x', 'GET'),
        await ask('/api/secrets/lists', 'POST'),
      ]) {
        expectFailure(answer, status);
        expect(answer.json.message).toBe(message);
      }
      expect(logLines.join()).not.toContain(CANARY);
      const requests = logLines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'request');
      expect(requests).toHaveLength(3);
      for (const line of requests) expect(line).toMatchObject({ status, errorCode: code });
    },
  );
});

describe('anything else', () => {
  const unknowns: [string, unknown][] = [
    ['an error', new Error(`SELECT * FROM secret_values -- ${CANARY}`)],
    ['an error with a cause', new Error('x', { cause: new Error(CANARY) })],
    ['a TypeError', new TypeError(`cannot read ${CANARY}`)],
    ['an error with a status of its own', Object.assign(new Error(CANARY), { statusCode: 503, code: 'CANARY' })],
    ['an error with a success for a status', Object.assign(new Error(CANARY), { statusCode: 200 })],
    ['an error of the system', Object.assign(new Error(CANARY), { code: 'EIO', errno: -5, path: `/${CANARY}` })],
    ["a storage's refusal that no service caught", new AlreadyTakenError('api-key', { cause: new Error(CANARY) })],
    ["an operator's error", new OperatorError('storage', CANARY)],
    ['a text', CANARY],
    ['an object', { message: CANARY, stack: CANARY }],
    ['a number', 5],
    ['null', null],
    ['undefined', undefined],
  ];

  test.each(unknowns)('%s is a 500 with fixed text, and the log has no word of its message', async (_, error) => {
    thrown = error;
    const answer = await ask();
    expectFailure(answer, 500);
    expect(answer.json.message).toBe(ERRORS.internal.message);
    const logged = logLines.map((line) => JSON.parse(line)).find(({ level }) => level === 'error');
    expect(logged).toMatchObject({ requestId: answer.headers['x-request-id'], route: '/api/secrets/lists' });
    expect(logLines.join()).not.toContain(CANARY);
  });

  test("a library's 4xx keeps to the client's side, with a sentence of ours", async () => {
    thrown = Object.assign(new Error(CANARY), { statusCode: 418, code: 'FST_SOMETHING' });
    const answer = await ask();
    expectFailure(answer, 400);
    expect(answer.text).not.toContain(CANARY);
  });
});

describe('/readyz', () => {
  test('is 503 with Retry-After when the storage is out of reach, and /healthz still 200', async () => {
    thrown = new ApiError('storage_unavailable', { cause: new Error(CANARY) });
    const answer = await ask('/readyz');
    expectFailure(answer, 503);
    expect(answer.text).not.toContain(CANARY);
    expect((await ask('/healthz')).status).toBe(200);
  });
});

describe('while stopping', () => {
  test.each(['/api/secrets/lists', '/api/secrets/lists/x', '/api/nothing', '/nothing', '/readyz', '/openapi.yaml'])(
    '%s is 503 with Retry-After',
    async (url) => {
      isStopping = true;
      const answer = await ask(url);
      expectFailure(answer, 503);
      expectEnvelope(answer);
    },
  );
});
