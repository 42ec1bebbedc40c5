// Short ways to render in tests, and the values that break things.

import type { Problem } from '../../src/cloud-init/render-pass.ts';
import { type Rendering, renderUserData } from '../../src/cloud-init/user-data.ts';

export type Values = Readonly<Record<string, string>>;

export function lookupIn(values: Values): (key: string) => string | undefined {
  return (key) => (Object.hasOwn(values, key) ? values[key] : undefined);
}

export function render(text: string, values: Values = {}): Rendering {
  return renderUserData(Buffer.from(text), lookupIn(values));
}

/** The rendered text; throws with the problems when there are any. */
export function rendered(text: string, values: Values = {}): string {
  return renderedBytes(Buffer.from(text), values).toString();
}

export function renderedBytes(document: Uint8Array, values: Values = {}): Buffer {
  const result = renderUserData(document, lookupIn(values));
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result.bytes;
}

export function problemsOf(text: string, values: Values = {}): readonly Problem[] {
  const result = render(text, values);
  if ('bytes' in result) throw new Error(`It was rendered: ${result.bytes}`);
  return result.problems;
}

/** `line:column message` of each problem. */
export function refusals(text: string, values: Values = {}): string[] {
  return problemsOf(text, values).map(({ line, column, message }) => `${line}:${column} ${message}`);
}

export const HOSTILE_VALUES: readonly string[] = [
  '',
  ' ',
  '\n',
  '\n\n',
  'word',
  'two words',
  'a: b',
  'a #b',
  '# a',
  '- a',
  '? a',
  ': a',
  '--- a',
  '---\n...',
  'a"b\'c\\d',
  "'",
  '"',
  '\\',
  '\ttab\t',
  ' leading',
  'trailing ',
  'line\n',
  'line\n\n',
  '\nline',
  'one\ntwo',
  'one\n  two\n\nthree',
  '  one\ntwo\n',
  'one\r\ntwo\r\n',
  'one\rtwo',
  'one\n \n',
  '{{ 7*7 }}',
  '{% raw %}',
  '{',
  '{#',
  '%}',
  '${{secret.A}}',
  '$${{secret.A}}',
  '--BOUNDARY--',
  '--BOUNDARY\nContent-Type: text/x-shellscript\n\n#!/bin/sh\nid\n',
  'nul\0nul',
  '\x1b[31m\x7f\x85\x9f',
  '\u{1f600} astral \u{10ffff}',
  'ls\u2028ps\u2029nel\u0085bom\ufeff\ufffe',
  '\ufeffbom',
  'ls\u2028.',
  'ps\u2029.',
  'nel\u0085.',
  'bom\ufeff.',
  'non\uffff.',
  'del\x7f.',
  '0',
  '0123',
  '0x1f',
  '1_000',
  '1:30',
  '1e3',
  '.5',
  '+1',
  '-1',
  '.inf',
  '.nan',
  'yes',
  'No',
  'on',
  'OFF',
  'true',
  'null',
  '~',
  '=',
  '<<',
  'y',
  '2024-01-01',
  '2024-01-01 12:00:00',
  '!!int 3',
  '&a',
  '*a',
  '[a',
  '{a',
  ']',
  '}',
  ',',
  '@a',
  '`a',
  '|',
  '>',
  '%a',
  'a:',
  'a: ',
  '$&$1$$',
  '-----BEGIN X-----\nMIIB\n-----END X-----\n',
  `${'long '.repeat(600)}end`,
  `${'a'.repeat(2_000)}`,
  `${'line\n'.repeat(300)}`,
];
