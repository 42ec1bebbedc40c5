// The table of errors, and what an error of it carries.

import { STATUS_CODES } from 'node:http';
import { describe, expect, test } from 'vitest';
import {
  AlreadyTakenError,
  ApiError,
  ERRORS,
  type ErrorCode,
  invalidFields,
  OperatorError,
} from '../../src/domain/errors.ts';

const EACH = Object.entries(ERRORS) as [ErrorCode, { status: number; message: string }][];

describe('the table', () => {
  test.each(EACH)('%s has a status from 400 on and one sentence', (code, { status, message }) => {
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(STATUS_CODES[status]).toBeDefined();
    expect(message).toMatch(/^[A-Z].*\.$/);
    expect(message).not.toMatch(/must be a valid|could not be found/i);
  });

  test('has one sentence for each code', () => {
    expect(new Set(EACH.map(([, { message }]) => message)).size).toBe(EACH.length);
  });

  test('has the statuses of the contract', () => {
    const statuses = new Set(EACH.map(([, { status }]) => status));
    for (const status of [400, 401, 403, 404, 405, 408, 413, 414, 415, 422, 429, 431, 500, 503, 507]) {
      expect([status, statuses.has(status)]).toEqual([status, true]);
    }
  });

  test('has a single code for each status that must not tell more', () => {
    for (const status of [401, 403, 429, 500]) {
      expect(EACH.filter(([, error]) => error.status === status)).toHaveLength(1);
    }
  });
});

describe('an error of it', () => {
  test.each(EACH)('%s has its status and its sentence, and no fields', (code, { status, message }) => {
    const error = new ApiError(code);
    expect([error.code, error.status, error.message, error.fields]).toEqual([code, status, message, undefined]);
    expect(error).toBeInstanceOf(Error);
  });

  test('may say more exactly what is wrong, and keeps its cause to itself', () => {
    const cause = new Error('SELECT canary');
    const error = new ApiError('malformed_body', { detail: 'The body is not UTF-8.', cause });
    expect([error.status, error.message, error.cause]).toEqual([400, 'The body is not UTF-8.', cause]);
    expect(error.message + JSON.stringify(error)).not.toContain('canary');
  });

  test('about fields is a 422 with them', () => {
    const error = invalidFields({ name: ['Another one.'] });
    expect([error.code, error.status, error.fields]).toEqual(['invalid_fields', 422, { name: ['Another one.'] }]);
  });
});

test('the other errors tell what they are about and keep their cause', () => {
  const cause = new Error('x');
  expect(new OperatorError('storage', 'Do this.', { cause })).toMatchObject({
    kind: 'storage',
    message: 'Do this.',
    cause,
  });
  expect(new AlreadyTakenError('list-name', { cause })).toMatchObject({ what: 'list-name', cause });
});
