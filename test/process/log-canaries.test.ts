// What the log of a real server says at its most talkative level: one line for each request, and nothing that anybody
// sent. Every place of a request holds a canary; both streams are searched for them.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { beforeAll, describe, expect, test } from 'vitest';
import { createLogger } from '../../src/logger.ts';
import { QUICK_START } from '../support/program.ts';
import { askRaw, type RawAnswer, rawRequest } from '../support/raw-client.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';

const TOKEN = 'canary-of-the-working-key-0123456789';
const ROOT_KEY = Buffer.from('canary of the root key: 32 bytes').toString('base64');
const SECRET = 'canary-of-the-secret-value';
const CREDENTIALS = `Authorization: Bearer ${TOKEN}`;
const LISTS = '/api/secrets/lists';
const FORM = 'Content-Type: application/x-www-form-urlencoded';
const JSON_TYPE = 'Content-Type: application/json';
const NOSY = ['User-Agent: canary-agent', 'Referer: http://canary.example/canary', 'Cookie: session=canary-cookie'];

let server: ServerProcess;
const answers: RawAnswer[] = [];
beforeAll(async () => {
  const environment = {
    ...QUICK_START,
    LOG_LEVEL: 'trace',
    SECRET_MANAGER_API_KEY: TOKEN,
    SECRET_MANAGER_ROOT_KEY: ROOT_KEY,
  };
  server = await startServerProcess(environment);
});

async function send(bytes: string): Promise<RawAnswer> {
  const answer = await askRaw(server.port, bytes);
  answers.push(answer);
  return answer;
}

function ask(requestLine: string, headers: string[] = [], body = ''): Promise<RawAnswer> {
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  return send(rawRequest(requestLine, [...NOSY, ...headers, ...length], body));
}

// biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of a line.
type Line = any;

function parseLog(): Line[] {
  return server
    .stdout()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** The lines about an answer, once they are there. */
async function linesAbout(answer: RawAnswer): Promise<Line[]> {
  const requestId = answer.headers.get('x-request-id');
  const find = () => parseLog().filter((line) => line.requestId === requestId);
  await expect.poll(find, { timeout: 5_000, interval: 5 }).not.toEqual([]);
  return find();
}

function openDatabase(): Database.Database {
  return new Database(join(server.dataDirectory, 'secret-manager.db'), { timeout: 1_000 });
}

describe('one line tells of a request', () => {
  test.each([
    ['that is served', `GET ${LISTS}`, [CREDENTIALS], { route: LISTS, status: 200, keyId: 1 }],
    ['with its key in the query', `GET ${LISTS}?key=${TOKEN}`, [], { route: LISTS, status: 200, keyId: 1 }],
    [
      'of a thing, by its pattern',
      `GET ${LISTS}/canary-list`,
      [CREDENTIALS],
      { route: `${LISTS}/:secretList`, status: 404, keyId: 1 },
    ],
    ['without a working key', `GET ${LISTS}?key=canary-wrong-key-in-the-query-0123`, [], { route: LISTS, status: 401 }],
    [
      'with a wrong bearer',
      `GET ${LISTS}`,
      ['Authorization: Bearer canary-wrong-bearer-0123456789abcdef'],
      { status: 401 },
    ],
    [
      'with a password',
      `GET ${LISTS}`,
      [`Authorization: Basic ${Buffer.from('canary:canary').toString('base64')}`],
      { status: 401 },
    ],
    ['of a machine, whose token is in the path', 'GET /nocloud/canary-token-of-a-machine/user-data', [], {}],
    ['to nowhere', 'GET /canary/nowhere?canary=canary', [], { route: 'unknown', status: 404 }],
    ['with another method', 'PURGE /healthz?canary', [], { method: 'PURGE', route: '/healthz', status: 405 }],
    ['without a plain target', 'GET http://canary.example/canary', [], { status: 400 }],
    ['whose URL is too long', `GET /canary?${'canary'.repeat(1_500)}`, [], { status: 414 }],
  ])('%s', async (_what, requestLine, headers, expected) => {
    const answer = await ask(requestLine, headers);
    const lines = (await linesAbout(answer)).filter(({ msg }) => msg === 'request');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ level: 'info', method: requestLine.split(' ')[0], ...expected });
    expect(lines[0].status).toBe(answer.status);
    expect(lines[0].durationMs).toBeGreaterThanOrEqual(0);
    expect('keyId' in lines[0]).toBe('keyId' in expected);
    expect(Object.keys(lines[0])).not.toContain('url');
  });

  test.each([
    ['the parser', `FROB /canary?key=${TOKEN} HTTP/1.1\r\nHost: canary\r\nCookie: canary\r\n\r\n`, 400],
    ['the parser in a header', `GET / HTTP/1.1\r\nHost: canary\r\nX-Canary: canary\r\n folded-canary\r\n\r\n`, 400],
    ['the parser for its size', rawRequest(`GET /${'canary'.repeat(3_000)}`), 414],
    ['the parser for its headers', rawRequest('GET /', [`X-Canary: ${'canary'.repeat(3_000)}`]), 431],
    ['its path', rawRequest(`GET /%zz-canary?key=${TOKEN}`), 400],
    ['its expectation', rawRequest(`GET ${LISTS}?key=${TOKEN}`, ['Expect: canary']), 417],
  ])('that is refused for %s', async (_what, bytes, status) => {
    const lines = await linesAbout(await send(bytes));
    expect(lines).toHaveLength(1);
    expect([status, 431]).toContain(lines[0].status);
  });
});

test('bodies of every kind are taken, refused and not logged', async () => {
  await ask(`POST ${LISTS}`, [CREDENTIALS, JSON_TYPE], '{"name":"canary-list"}');
  const values = `POST ${LISTS}/canary-list/values`;
  const created = await ask(values, [CREDENTIALS, FORM], `secret_key=CANARY_KEY&secret_value=${SECRET}`);
  expect(created.status).toBe(200);
  const statuses: number[] = [];
  for (const [requestLine, type, body] of [
    [values, FORM, `secret_key=CANARY_KEY&secret_value=${SECRET}`],
    [values, FORM, 'secret_key=canary%zz&secret_value=canary'],
    [values, JSON_TYPE, '{"secret_key": "canary", "secret_value": canary}'],
    [values, JSON_TYPE, '{"secret_key": {"canary": "canary"}, "canary": 1}'],
    [values, JSON_TYPE, '"canary"'],
    [values, JSON_TYPE, `{"secret_key": "canary|{}", "secret_value": "canary"}`],
    [values, 'Content-Type: canary/canary', 'canary'],
    [values, 'Content-Type: canary', 'canary'],
    [`POST ${LISTS}`, JSON_TYPE, '{"name":"canary\\r\\n\\u001b[31m{\\"level\\":\\"fatal\\"}"}'],
    [`POST ${LISTS}`, FORM, 'name=canary%0d%0aforged'],
  ] as const) {
    statuses.push((await ask(requestLine, [CREDENTIALS, type], body)).status);
  }
  expect(statuses).toEqual([422, 400, 400, 422, 400, 422, 415, 415, 422, 422]);
});

test('CR, LF and ESC in paths and headers leave every line one line of JSON', async () => {
  await ask(`GET ${LISTS}/canary%0d%0a%7b%22level%22%3a%22fatal%22%7d%1b%5b31m`, [CREDENTIALS]);
  await ask(`GET ${LISTS}/x/values/canary%0aforged`, [CREDENTIALS]);
  await send(`GET /canary HTTP/1.1\r\nHost: localhost\r\nX-A: \x1b[31mcanary\r\n\r\n`);
  await send('GET /canary\x1b[31m HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const last = await ask('GET /healthz', ['X-Request-Id: canary', 'User-Agent: canary\tcanary\xff']);
  await linesAbout(last);
  for (const line of parseLog()) expect(line.level).toMatch(/^(info|warn|error|debug|trace)$/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
  expect(server.stdout()).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f]/);
});

test('what goes wrong inside is told without what it was about', async () => {
  const database = openDatabase();
  database.exec("UPDATE secret_values SET sealed_value = CAST('canary' AS BLOB)");
  const broken = await ask(`GET ${LISTS}/canary-list/values/CANARY_KEY`, [CREDENTIALS]);
  expect(broken.status).toBe(500);
  expect((await linesAbout(broken)).filter(({ level }) => level === 'error')).not.toEqual([]);

  database.exec('BEGIN EXCLUSIVE');
  const locked = await ask(`POST ${LISTS}`, [CREDENTIALS, JSON_TYPE], '{"name":"canary-while-locked"}');
  database.exec('ROLLBACK');
  expect(locked.status).toBe(503);
  await linesAbout(locked);

  database.exec("UPDATE api_keys SET rights = 'read', name = 'canary'");
  expect((await ask(`GET ${LISTS}`, [CREDENTIALS])).status).toBe(401);
  await expect.poll(() => server.stdout()).toContain('ALARM: the row of an API key');
  database.close();
});

test('an error is told by its name, its code and its places, never by what a library says of it', () => {
  const lines: string[] = [];
  const logger = createLogger('trace', { write: (line) => void lines.push(line) });
  const quoting = new SyntaxError('Unexpected token in\n    at canary (canary:1:1)\ncanary');
  const error = Object.assign(new Error('canary', { cause: quoting }), { code: 'ECODE', input: 'canary' });
  logger.error({ err: error, requestId: 'an-id' }, 'fixed text');
  expect(JSON.parse(lines.join(''))).toMatchObject({
    err: { name: 'Error', code: 'ECODE', cause: { name: 'SyntaxError' } },
  });
  expect(lines.join('')).toContain('log-canaries.test.ts');
  expect(lines.join('')).not.toContain('canary (canary');
  expect(lines.join('').replaceAll(/[\w/.:-]*log-canaries\.test\.ts/g, '')).not.toContain('canary');
});

test('no canary is in standard output, in standard error or in what the server keeps of a secret', async () => {
  await server.stop();
  const kinds = answers.map(({ status }) => status);
  expect(kinds).toEqual(expect.arrayContaining([200, 400, 401, 404, 405, 414, 415, 417, 422, 431, 500, 503]));
  for (const text of [server.stdout(), server.stderr()]) {
    expect(text.match(/.{0,80}canary.{0,80}/gi)).toBeNull();
    expect(text).not.toContain(ROOT_KEY);
    expect(text).not.toContain(encodeURIComponent(ROOT_KEY));
    expect(text).not.toContain(Buffer.from('canary:canary').toString('base64'));
  }
  for (const name of readdirSync(server.dataDirectory)) {
    const content = readFileSync(join(server.dataDirectory, name));
    for (const secret of [TOKEN, ROOT_KEY, SECRET]) expect(content.includes(secret), name).toBe(false);
  }
});
