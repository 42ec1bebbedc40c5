// One table of errors, three places: src/domain/errors.ts, docs/errors.md and openapi.yaml say the same.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ERRORS } from '../../src/domain/errors.ts';
import { readOperations } from '../http/api-operations.ts';

const ERRORS_PAGE = join(import.meta.dirname, '../../docs/errors.md');
const ROW = /^\| *`([a-z_]+)` *\| *(\d{3}) *\| *(.+?) *\|$/;
const STATUSES = new Set<number>(Object.values(ERRORS).map(({ status }) => status));

describe('docs/errors.md', () => {
  const rows = readFileSync(ERRORS_PAGE, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, code, status, message] = ROW.exec(line) ?? [];
      return code === undefined ? [] : [{ code, status: Number(status), message }];
    });

  test('has each code of the table once, in its order, with its status and its sentence', () => {
    expect(rows).toEqual(Object.entries(ERRORS).map(([code, error]) => ({ code, ...error })));
  });
});

describe('openapi.yaml', () => {
  test.each(readOperations().map((operation) => [`${operation.method} ${operation.path}`, operation] as const))(
    'lists statuses of the table alone: %s',
    (_, { description }) => {
      const statuses = Object.keys(description.responses).map(Number);
      expect(statuses.filter((status) => status >= 400 && !STATUSES.has(status))).toEqual([]);
    },
  );

  test('lists each status of the table that an operation can have', () => {
    // Of other methods and other paths, and of an Expect header: no operation is reached.
    const ofNoOperation = [405, 417];
    const listed = new Set(
      readOperations().flatMap(({ description }) => Object.keys(description.responses).map(Number)),
    );
    expect([...STATUSES].filter((status) => !listed.has(status) && !ofNoOperation.includes(status))).toEqual([]);
  });
});
