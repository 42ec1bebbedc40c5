// Canaries in every place where a client can put one: no log line at any level, no error and no audit event has them.

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Answer, startTestServer, type TestServer } from '../support/test-server.ts';
import { FORM, JSON_TYPE } from './api-answers.ts';
import { query, readAuditRows } from './database-file.ts';

const LISTS = '/api/secrets/lists';
/** In every spelling of it: as it is, in capitals, in base64, percent-encoded, escaped. */
const CANARY = 'cAnArY7f3b';
const TRACES = [
  new RegExp(CANARY, 'i'),
  new RegExp(Buffer.from(`xx${CANARY}`).toString('base64').slice(3, 14)),
  new RegExp(Buffer.from(`x${CANARY}`).toString('base64').slice(2, 13)),
  new RegExp(Buffer.from(CANARY).toString('base64').slice(0, 13)),
  new RegExp(Buffer.from(CANARY).toString('hex'), 'i'),
];
const FIRST_KEY = `a-key-with-${CANARY}-in-it-of-the-tests`;
const WRONG_KEY = `${CANARY}-a-key-that-nobody-has-ever-had`;

let server: TestServer;
const answers: { readonly what: string; readonly answer: Answer }[] = [];

async function send(method: string, url: string, options: Parameters<TestServer['request']>[2] = {}): Promise<Answer> {
  const answer = await server.request(method, url, { token: FIRST_KEY, ...options });
  answers.push({ what: `${method} ${url}`, answer });
  return answer;
}

beforeAll(async () => {
  server = await startTestServer({ SECRET_MANAGER_API_KEY: FIRST_KEY });
  await sendOrdinary();
  await sendCredentials();
  await sendTargets();
  await sendBodies();
  await sendHeaders();
  await damage();
});
afterAll(() => server.close());

async function sendOrdinary(): Promise<void> {
  await send('POST', LISTS, { body: { name: CANARY } });
  await send('GET', `${LISTS}/${CANARY}`);
  const values = `${LISTS}/${CANARY}/values`;
  await send('POST', values, { body: { secret_key: CANARY, secret_value: CANARY } });
  await send('POST', values, { body: { secret_key: CANARY, secret_value: CANARY } });
  await send('GET', values);
  await send('GET', `${values}/${CANARY}`);
  await send('GET', '/api/secrets/all-values');
  await send('POST', `${values}/${CANARY}`, { body: { secret_value: `${CANARY}2` } });
  await send('POST', `${LISTS}/${CANARY}`, { body: { name: `${CANARY}2` } });
  await send('GET', `${LISTS}/${CANARY}`);
  await send('DELETE', `${values}/${CANARY}`);
  await send('DELETE', `${LISTS}/${CANARY}2/values/${CANARY}`);
  await send('DELETE', `${LISTS}/${CANARY}2`);
  await send('PUT', `${LISTS}/${CANARY}`);
}

async function sendCredentials(): Promise<void> {
  const nobody = { token: null };
  await send('GET', `${LISTS}?key=${FIRST_KEY}`, nobody);
  await send('GET', `${LISTS}?key=${FIRST_KEY}`);
  await send('GET', LISTS, { token: WRONG_KEY });
  await send('GET', LISTS, { token: `${CANARY}\u00ff` });
  await send('GET', `${LISTS}?key=${WRONG_KEY}&key=${FIRST_KEY}`, nobody);
  await send('GET', `/nothing?key=${FIRST_KEY}`, nobody);
  await send('GET', `/healthz?key=${FIRST_KEY}`, nobody);
  await send('GET', `/docs?key=${FIRST_KEY}`, nobody);
  await send('GET', `/docs/${CANARY}?key=${FIRST_KEY}`, nobody);
  await send('GET', LISTS, { token: null, headers: { authorization: `Basic ${btoa(`${CANARY}:${CANARY}`)}` } });
  await send('GET', LISTS, { token: null, headers: { authorization: [`Bearer ${FIRST_KEY}`, `Bearer ${CANARY}`] } });
}

async function sendTargets(): Promise<void> {
  await send('GET', `/api/${CANARY}`);
  await send('GET', `/${CANARY}`, { token: null });
  await send('GET', `/api/${CANARY}%zz?key=${FIRST_KEY}`, { token: null });
  await send('GET', `${LISTS}/${CANARY}%ff`);
  await send('GET', `${LISTS}/${CANARY}${'x'.repeat(9000)}`);
  await send('GET', `${LISTS}/${encodeURIComponent(`\r\n{"level":"error","msg":"${CANARY}"}\u001b[31m`)}`);
  await send('GET', `${LISTS}?${CANARY}=${CANARY}`);
}

async function sendBodies(): Promise<void> {
  await send('POST', LISTS, { headers: JSON_TYPE, body: `{"name":"${CANARY}"` });
  await send('POST', LISTS, { headers: JSON_TYPE, body: `{"${CANARY}": ${CANARY}}` });
  await send('POST', LISTS, { headers: JSON_TYPE, body: `{"a":"\n    at ${CANARY} (file.ts:1:1)"}` });
  await send('POST', LISTS, { headers: JSON_TYPE, body: `["${CANARY}"]` });
  await send('POST', LISTS, { headers: JSON_TYPE, body: `{"name":["${CANARY}"],"${CANARY}":1}` });
  await send('POST', LISTS, { headers: FORM, body: `name=${CANARY}%zz` });
  await send('POST', LISTS, { headers: FORM, body: `name=${CANARY}&name=${CANARY}&${CANARY}=1` });
  await send('POST', LISTS, { headers: FORM, body: Buffer.from(`name=${CANARY}\xff`, 'latin1') });
  await send('POST', LISTS, { headers: { 'content-type': `text/${CANARY}` }, body: CANARY });
  await send('POST', LISTS, { headers: { 'content-type': CANARY }, body: CANARY });
  await send('POST', LISTS, { headers: { ...JSON_TYPE, 'content-encoding': CANARY }, body: CANARY });
  await send('POST', LISTS, { body: { name: `${CANARY}${'x'.repeat(256)}` } });
  await send('POST', LISTS, { body: { name: `${CANARY}\u0000` } });
  await send('POST', `${LISTS}/1/values`, { body: { secret_key: `{${CANARY}`, secret_value: `${CANARY}\ud800` } });
  await send('POST', `${LISTS}/1/values`, { body: { secret_key: CANARY, secret_value: CANARY.repeat(110_000) } });
  await send('POST', LISTS, { headers: FORM, body: CANARY.repeat(500_000) });
}

async function sendHeaders(): Promise<void> {
  const headers: Record<string, string> = { cookie: `a=${CANARY}`, origin: `https://${CANARY}.example` };
  for (const name of ['user-agent', 'referer', 'host', 'x-request-id', 'traceparent', 'x-forwarded-for', 'accept']) {
    headers[name] = CANARY;
  }
  await send('GET', LISTS, { headers });
  await send('GET', LISTS, { headers, token: null });
  await send('PUT', LISTS, { headers });
  for (const url of ['/nothing', '/docs', '/docs/', '/openapi.yaml', '/healthz']) await send('GET', url, { headers });
}

/** Values and keys that don't open any more, with canaries beside them. */
async function damage(): Promise<void> {
  await send('POST', LISTS, { body: { name: `${CANARY}-damaged` } });
  const values = `${LISTS}/${CANARY}-damaged/values`;
  await send('POST', values, { body: { secret_key: CANARY, secret_value: CANARY } });
  query(server, `UPDATE secret_values SET sealed_value = CAST('${CANARY}${CANARY}${CANARY}${CANARY}' AS BLOB)`);
  for (const url of [values, `${values}/${CANARY}`, '/api/secrets/all-values']) {
    expect((await send('GET', url)).status).toBe(500);
  }
  const { id, token } = await server.newKey(CANARY, 'read');
  query(server, "UPDATE api_keys SET rights = 'write' WHERE id = ?", id);
  await send('GET', LISTS, { token });
}

function expectNoTrace(of: string): void {
  for (const trace of TRACES) expect(of).not.toMatch(trace);
}

describe('canaries', () => {
  test('were answered in all ways: 200, 400, 401, 404, 405, 413, 414, 415, 422 and 500', () => {
    const statuses = new Set(answers.map(({ answer }) => answer.status));
    expect([...statuses].sort()).toEqual([200, 400, 401, 404, 405, 413, 414, 415, 422, 500]);
  });

  test('are in no log line, at the finest level', () => {
    expect(server.logLines.length).toBeGreaterThan(answers.length * 0.9);
    for (const line of server.logLines) expectNoTrace(line);
  });

  test('are in no log line as text of theirs: each line is one JSON object', () => {
    for (const line of server.logLines) {
      expect(line.endsWith('\n') && !line.slice(0, -1).includes('\n')).toBe(true);
      expect(line).not.toContain('\u001b');
      expect(Object.keys(JSON.parse(line)).slice(0, 2)).toEqual(['level', 'time']);
    }
  });

  test('are in no error, neither in its body nor in its headers', () => {
    const errors = answers.filter(({ answer }) => answer.status >= 400);
    expect(errors.length).toBeGreaterThan(40);
    for (const { answer } of errors) expectNoTrace(answer.text + JSON.stringify(answer.headers));
  });

  test('are in the headers of no answer at all, and in nothing outside of /api', () => {
    for (const { what, answer } of answers) {
      expectNoTrace(JSON.stringify(answer.headers));
      if (!what.includes(' /api')) expectNoTrace(answer.text);
    }
  });

  test('are in the answers of their owner alone: another account never sees them', async () => {
    const { token } = await server.newKey('other');
    for (const url of [LISTS, '/api/secrets/all-values', `${LISTS}/${CANARY}-damaged`, `${LISTS}/1/values`]) {
      expectNoTrace((await server.request('GET', url, { token })).text);
    }
  });

  test('are in no audit event', async () => {
    const refusals = answers.filter(
      ({ what, answer: { status } }) => what.includes(' /api') && status > 400 && status < 500,
    );
    const rows = await vi.waitFor(() => {
      const written = readAuditRows(server);
      const refused = written.filter(({ outcome }) => outcome === 'refused');
      expect(refused.reduce((sum, { occurrences }) => sum + occurrences, 0)).toBeGreaterThanOrEqual(refusals.length);
      return written;
    });
    for (const row of rows) expectNoTrace(JSON.stringify(row));
  });

  test('are found by this search, were they there', () => {
    for (const kept of [
      CANARY,
      encodeURIComponent(CANARY),
      ...['', 'a', 'ab'].map((before) => Buffer.from(`${before}${CANARY}tail`).toString('base64')),
      Buffer.from(CANARY).toString('hex'),
    ]) {
      expect(() => expectNoTrace(kept)).toThrow();
    }
  });
});
