// Hostile documents are refused, and soon.

import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { type Rendering, renderUserData } from '../../src/cloud-init/user-data.ts';

const MEBIBYTE = 1_048_576;
const SOON_MS = 8_000;
const REFERENCE = '${{secret.A}}';

function renderSoon(document: string | Buffer, value = 'v'): Rendering {
  const startedAt = performance.now();
  const result = renderUserData(Buffer.from(document), () => value);
  expect(performance.now() - startedAt).toBeLessThan(SOON_MS);
  return result;
}

function messages(result: Rendering): string {
  return 'problems' in result ? result.problems.map(({ message }) => message).join('\n') : 'rendered';
}

const filled = (unit: string) =>
  `#cloud-config\nr: ${REFERENCE}\n${unit.repeat(Math.floor((MEBIBYTE - 40) / unit.length))}`;

test.each([
  ['[', 'nested too deeply'],
  ['{', 'nested too deeply'],
  ['- ', 'nested too deeply'],
  ['? ', 'nested too deeply'],
  ['a: ', 'nested too deeply'],
  ['k:\n', 'too many words'],
  ['a,', 'cannot be read'],
])('a mebibyte of %j is refused soon', (unit, problem) => {
  expect(messages(renderSoon(filled(unit)))).toContain(problem);
});

test('depth by indentation is refused', () => {
  const lines = Array.from({ length: 1_300 }, (_, depth) => `${' '.repeat(depth)}k:\n`).join('');
  expect(messages(renderSoon(`#cloud-config\nr: ${REFERENCE}\n${lines}`))).toContain('nested too deeply');
});

test('an alias bomb and an alias without an anchor are refused', () => {
  const levels = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i},`.repeat(9)}]\n`).join('');
  const bomb = `#cloud-config\nl0: &l0 [a]\n${levels}r: ${REFERENCE}\n`;
  expect(messages(renderSoon(bomb))).toContain('alias');
  expect(messages(renderSoon(`#cloud-config\nr: ${REFERENCE}\nb: *none\n`))).toContain('alias');
  expect(messages(renderSoon(`#cloud-config\nr: &r ${REFERENCE}\nb: *r\n`))).toBe('rendered');
});

test('20,000 keys, even equal ones, take no square of time', () => {
  expect(messages(renderSoon(`#cloud-config\nr: ${REFERENCE}\n${'key: 1\n'.repeat(20_000)}`))).toBe('rendered');
});

test('5,000 contents beside each other in one file are warned of without a square of time', () => {
  const lines = `  content: ${REFERENCE}\n`.repeat(5_000);
  expect(messages(renderSoon(`#cloud-config\nwrite_files:\n- path: x\n${lines}`))).toBe('rendered');
});

test('a document over 1 MiB is refused, packed or not', () => {
  expect(messages(renderSoon('x'.repeat(MEBIBYTE + 1)))).toContain('larger than 1 MiB');
  expect(messages(renderSoon(gzipSync('x'.repeat(MEBIBYTE + 1))))).toContain('too large');
  expect(messages(renderSoon('x'.repeat(MEBIBYTE)))).toBe('rendered');
});

test('many packed parts have one limit together', () => {
  const packed = gzipSync(Buffer.alloc(MEBIBYTE, ' ')).toString('base64');
  const part = `--b\nContent-Type: application/gzip\nContent-Transfer-Encoding: base64\n\n${packed}\n`;
  const message = `MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n${part.repeat(30)}--b--\n`;
  expect(messages(renderSoon(message))).toContain('cannot be unpacked, or is too large');
});

test('nested multiparts and many parts are refused', () => {
  const head = 'MIME-Version: 1.0\n';
  const nested = Array.from(
    { length: 50 },
    (_, i) => `Content-Type: multipart/mixed; boundary=b${i}\n\n--b${i}\n`,
  ).join('');
  expect(messages(renderSoon(head + nested))).toContain('nested too deeply');
  const many = `${head}Content-Type: multipart/mixed; boundary=b\n\n${'--b\n\n'.repeat(5_000)}`;
  expect(messages(renderSoon(many))).toContain('more than 1000 parts');
});

test('values that are too large together are refused', () => {
  const value = 'v'.repeat(MEBIBYTE);
  expect(messages(renderSoon(`#!/bin/sh\n${REFERENCE.repeat(5)}`, value))).toContain('larger than 4 MiB');
  expect(messages(renderSoon(`#cloud-config\na: [${`${REFERENCE},`.repeat(5)}]\n`, value))).toContain(
    'larger than 4 MiB',
  );
  expect(messages(renderSoon(`#!/bin/sh\n${REFERENCE.repeat(3)}`, value))).toBe('rendered');
  expect(messages(renderSoon(`#cloud-config\na: "${REFERENCE}"\n`, '\0'.repeat(MEBIBYTE)))).toContain(
    'larger than 4 MiB',
  );
});

test('many lines under a wide indent do not multiply', () => {
  const document = `#cloud-config\na: |\n${' '.repeat(500_000)}${REFERENCE}\n`;
  expect(messages(renderSoon(document, 'x\n'.repeat(400_000)))).toBe('rendered');
});

test('more than 10,000 references are refused', () => {
  expect(messages(renderSoon(`#!/bin/sh\n${REFERENCE.repeat(10_000)}`))).toBe('rendered');
  expect(messages(renderSoon(`#!/bin/sh\n${REFERENCE.repeat(10_001)}`))).toContain('more than 10000 references');
});

test.each([
  ['an open reference of blanks', `#!/bin/sh\n\${{secret.A${' '.repeat(MEBIBYTE - 40)}x}}`],
  ['openings without end', `#!/bin/sh\n${'${{secret.'.repeat(9_999)}`],
  ['Jinja openings', `## template: jinja\n#!/bin/sh\n${'{{'.repeat(500_000)}`],
  ['a long Jinja tag', `## template: jinja\n#!/bin/sh\n${REFERENCE}{{ ${"'a' ".repeat(200_000)} }}`],
  ['an open Jinja string', `## template: jinja\n#!/bin/sh\n${REFERENCE}{{ '${'a\\'.repeat(400_000)}`],
  ['blanks in a block', `#cloud-config\na: |\n  ${REFERENCE}\n  ${' '.repeat(900_000)}x\n`],
  ['blank lines in a block', `#cloud-config\na: |\n  ${REFERENCE}\n${' \n'.repeat(400_000)}  x\n`],
  ['headers', `MIME-Version: 1\n${'a:\n'.repeat(300_000)}`],
  ['one folded header', `MIME-Version: 1\n${' x\n'.repeat(300_000)}`],
  [
    'boundaries that are none',
    `MIME-Version: 1\nContent-Type: multipart/mixed; boundary=b\n\n${'--b '.repeat(200_000)}x`,
  ],
])('%s take no square of time', (_what, document) => {
  renderSoon(document);
});
