// What the wire contract promises of every answer under /api, whatever was asked: envelope, headers, statuses.

import { expect } from 'vitest';
import type { Answer } from '../support/test-server.ts';

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
/** RFC 3339, UTC. */
export const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
export const FORM = { 'content-type': 'application/x-www-form-urlencoded' } as const;
export const JSON_TYPE = { 'content-type': 'application/json' } as const;

/** A client takes a 422 with one of these for "not found". */
const FORBIDDEN_PHRASES = ['must be a valid', 'could not be found'];

export function expectCommonHeaders({ headers }: Pick<Answer, 'headers'>): void {
  expect(headers['cache-control']).toBe('no-store');
  expect(headers['x-content-type-options']).toBe('nosniff');
  expect(headers['x-request-id']).toMatch(UUID);
}

/** Holds for every answer under /api that has a body. */
export function expectEnvelope(answer: Answer): void {
  expectCommonHeaders(answer);
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  const { json, status } = answer;
  expect(json.code).toBe(status);
  expect(json.meta).toEqual([]);
  const members = ['result', 'message', 'code', 'data', 'meta', ...(status === 422 ? ['fields'] : [])];
  expect(Object.keys(json).sort()).toEqual(members.sort());
  if (status === 200) {
    expect(json).toMatchObject({ result: 'success', message: null });
    return;
  }
  expect(status).toBeGreaterThanOrEqual(400);
  expect(json).toMatchObject({ result: 'error', data: null });
  expectSentence(json.message);
  if (status === 401) expect(answer.headers['www-authenticate']).toBe('Bearer');
  else expect(answer.headers['www-authenticate']).toBeUndefined();
  if (status === 429 || status === 503) expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  if (status === 422) expectFieldProblems(json.fields);
}

/** Returns `data`. */
// biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of the data.
export function expectSuccess(answer: Answer): any {
  expect(`${answer.status} ${answer.text}`).toMatch(/^200 /);
  expectEnvelope(answer);
  return answer.json.data;
}

/** With `fields`, a 422 about exactly these. */
export function expectFailure(answer: Answer, status: number, fields?: readonly string[]): void {
  expect({ status: answer.status, text: answer.text }).toMatchObject({ status });
  expectEnvelope(answer);
  if (fields !== undefined) expect(Object.keys(answer.json.fields).sort()).toEqual([...fields].sort());
}

function expectFieldProblems(fields: unknown): void {
  expect(Array.isArray(fields)).toBe(false);
  const problems = Object.entries(fields as Record<string, unknown>);
  expect(problems.length).toBeGreaterThan(0);
  for (const [, sentences] of problems) {
    expect(Array.isArray(sentences)).toBe(true);
    expect((sentences as string[]).length).toBeGreaterThan(0);
    for (const sentence of sentences as string[]) expectSentence(sentence);
  }
}

function expectSentence(text: unknown): void {
  expect(text).toMatch(/^[A-Z].*\.$/s);
  for (const phrase of FORBIDDEN_PHRASES) expect(String(text).toLowerCase()).not.toContain(phrase);
}
