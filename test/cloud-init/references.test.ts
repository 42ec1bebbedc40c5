// What is a reference, what is an escape, and what is refused.

import { expect, test } from 'vitest';
import { listReferences, renderAsPlainText } from '../../src/cloud-init/user-data.ts';
import { lookupIn, refusals, rendered } from '../support/rendering.ts';

const script = (line: string) => `#!/bin/sh\n${line}\n`;

test.each([
  ['${{secret.KEY}}', 'value'],
  ['${{ secret.KEY }}', 'value'],
  ['${{\tsecret.KEY \t}}', 'value'],
  ['K=${{secret.KEY}};', 'K=value;'],
  ['${{secret.KEY}}${{secret.KEY}}', 'valuevalue'],
  ['${{secret.two words}}', 'spaced'],
  ['${{secret.ключ-🔑}}', 'unicode'],
  ['${{secret.a"b\'c:d/e.f$g}}', 'odd'],
  ['${{secret.KEY|sh}}', "'value'"],
  ['${{ secret.KEY | sh }}', "'value'"],
])('%s is replaced', (text, expected) => {
  const values = { KEY: 'value', 'two words': 'spaced', 'ключ-🔑': 'unicode', 'a"b\'c:d/e.f$g': 'odd' };
  expect(rendered(script(text), values)).toBe(script(expected));
});

test.each([
  '${{ github.x }}',
  '${{ secrets.X }}',
  '${{secretX}}',
  '$ {{secret.X}}',
  '${secret.X}',
  '{{secret.X}}',
  '${{Secret.X}}',
  '$&',
])("%s is another tool's text and stays", (text) => {
  expect(rendered(script(text))).toBe(script(text));
});

test.each([
  ['$${{secret.KEY}}', '${{secret.KEY}}'],
  ['$${{ secret.KEY | sh }}', '${{ secret.KEY | sh }}'],
  ['$${{secret.NONE}}', '${{secret.NONE}}'],
  ['$$${{secret.KEY}}', '$${{secret.KEY}}'],
  ['$${{secret.}', '${{secret.}'],
])('the escape %s comes out as text', (text, expected) => {
  expect(rendered(script(text), { KEY: 'v' })).toBe(script(expected));
  expect(rendered(`#cloud-config\na: '${text}'\n`, { KEY: 'v' })).toBe(`#cloud-config\na: '${expected}'\n`);
});

test('what a substitution puts in is never read again', () => {
  const values = { A: '${{secret.B}} $${{secret.B}} $& $1', B: 'no' };
  expect(rendered(script('${{secret.A}}'), values)).toBe(script(values.A));
  expect(rendered('#cloud-config\na: "${{secret.A}}"\n', values)).toBe(`#cloud-config\na: "${values.A}"\n`);
});

test('keys are case-sensitive, and no property of an object is a key', () => {
  expect(refusals(script('${{secret.key}} ${{secret.constructor}}'), { KEY: 'v' })).toEqual([
    '2:1 There is no secret with the key "key".',
    '2:17 There is no secret with the key "constructor".',
  ]);
});

test.each(['${{secret.', '${{secret.A', '${{secret.A}', '${{secret.A{b}}', '${{secret.A\n}}', '${{secret.A|sh|b64}}'])(
  'the malformed %j is refused',
  (text) => {
    expect(refusals(script(text), { A: 'v' })).toEqual([expect.stringMatching(/^2:1 This reference cannot be read/)]);
  },
);

test.each([
  '${{secret.}}',
  '${{secret. A}}',
  '${{secret.\u00a0A}}',
  '${{secret.a\u0007b}}',
  `\${{secret.${'k'.repeat(256)}}}`,
])('the key in %j is refused', (text) => {
  expect(refusals(script(text))).toEqual([expect.stringMatching(/^2:1 The secret key/)]);
});

test('a key of 255 characters beyond the BMP is a key', () => {
  const key = '\u{1f511}'.repeat(255);
  expect(rendered(script(`\${{secret.${key}}}`), { [key]: 'v' })).toBe(script('v'));
});

test('everything wrong is told at once, in order, with lines and columns in characters', () => {
  const text =
    '#!/bin/sh\n🔑 ${{secret.NO}} ${{secret.A | nope}}\r\n${{secret.NO}}\n${{secret.}}${{secret.ALSO | nope}}';
  expect(refusals(text, { A: 'canary' })).toEqual([
    '2:3 There is no secret with the key "NO".',
    '2:18 There is no such filter; the filters are sh, b64, json, sha512crypt.',
    '3:1 There is no secret with the key "NO".',
    '4:1 The secret key is empty; give it at least one character.',
    '4:13 There is no such filter; the filters are sh, b64, json, sha512crypt.',
    '4:13 There is no secret with the key "ALSO".',
  ]);
});

test('references are listed with key, filter, place and the kind of text they stand in', () => {
  const text = '#cloud-config\n# ${{secret.COMMENT}}\na: [${{ secret.A | b64 }}, x${{secret.B}}]\nb: $${{secret.C}}\n';
  expect(listReferences(Buffer.from(text))).toEqual([
    { key: 'A', filter: 'b64', kind: 'cloud-config', part: undefined, line: 3, column: 5 },
    { key: 'B', filter: undefined, kind: 'cloud-config', part: undefined, line: 3, column: 29 },
  ]);
});

test('plain text substitution looks at no kind, and refuses unknown keys too', () => {
  const document = Buffer.from('#cloud-config\na: ${{secret.A}} # ${{secret.A}}\n');
  const result = renderAsPlainText(document, lookupIn({ A: 'x: y\nz' }));
  expect('bytes' in result && result.bytes.toString()).toBe('#cloud-config\na: x: y\nz # x: y\nz\n');
  expect(renderAsPlainText(document, () => undefined)).toEqual({
    problems: [
      { message: 'There is no secret with the key "A".', part: undefined, line: 2, column: 4 },
      { message: 'There is no secret with the key "A".', part: undefined, line: 2, column: 20 },
    ],
  });
});
