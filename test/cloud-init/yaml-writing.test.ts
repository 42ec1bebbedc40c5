// How a value is written in YAML, style by style, and what is refused.

import { expect, test } from 'vitest';
import { refusals, rendered } from '../support/rendering.ts';

const config = (body: string) => `#cloud-config\n${body}`;
const written = (body: string, A: string) => rendered(config(body), { A }).slice('#cloud-config\n'.length);

test.each([
  ['a: ${{secret.A}} # c\n', 'word', 'a: word # c\n'],
  ['a: ${{secret.A}}\n', 'etc/x.conf', 'a: etc/x.conf\n'],
  ['a: x${{secret.A}}\n', 'y z', 'a: "xy z"\n'],
  ['a:  "x ${{secret.A}}\\t"\n', 'q"\\\n', 'a:  "x q\\"\\\\\\n\\t"\n'],
  ["a: 'x ${{secret.A}}'\n", "it's", "a: 'x it''s'\n"],
  ["a: 'x ${{secret.A}}'\n", 'two\nlines', 'a: "x two\\nlines"\n'],
  ['a: [${{secret.A}}, b]\n', 'x, y', 'a: ["x, y", b]\n'],
  ['{${{secret.A}}: 1}\n', 'k', '{k: 1}\n'],
  ['a: p\n  ${{secret.A}}\n  r\n', 'q', 'a: "p q r"\n'],
])('%j with %j becomes %j', (body, value, expected) => {
  expect(written(body, value)).toBe(expected);
});

test.each(
  // What YAML 1.1 takes for something else than a string.
  [
    'yes',
    'No',
    'on',
    'y',
    'N',
    'true',
    'null',
    '0',
    '0123',
    '1:30',
    '2024-01-01',
    '1e3',
    '.5',
    '~',
    '=',
    '<<',
    '',
    '-',
    '+1',
  ],
)('%j is quoted where a plain scalar would be no string', (value) => {
  expect(written('a: ${{secret.A}}\n', value)).toBe(`a: "${value}"\n`);
  expect(written('a: [${{secret.A}}]\n', value)).toBe(`a: ["${value}"]\n`);
  expect(written('${{secret.A}}: b\n', value)).toBe(`"${value}": b\n`);
});

test('controls are written as \\u escapes, astral characters as they are', () => {
  expect(written('a: ${{secret.A}}\n', '\0\x1b\x7f\x85\u2028\u2029\ufeff\uffff\u{1f600}')).toBe(
    'a: "\\u0000\\u001b\\u007f\\u0085\\u2028\\u2029\\ufeff\\uffff\u{1f600}"\n',
  );
});

test('a block literal takes several lines, with its indent and the line ends of the file', () => {
  expect(written('a: |\n   ${{secret.A}}\nb: 1\n', 'one\n\n two')).toBe('a: |\n   one\n\n    two\nb: 1\n');
  expect(written('a: |\r\n  x ${{secret.A}}\r\nb: 1\r\n', 'one\ntwo')).toBe('a: |\r\n  x one\r\n  two\r\nb: 1\r\n');
});

test('a reference that ends its line in a block drops one final newline of its value, and no more', () => {
  expect(written('a: |\n  ${{secret.A}}\n', 'pem\nend\n')).toBe('a: |\n  pem\n  end\n');
  expect(written('a: |\n  ${{secret.A}}  \n  b\n', 'pem\n\n')).toBe('a: |\n  pem\n    \n  b\n');
  expect(written('a: |\n  ${{secret.A}}.\n', 'x\n')).toBe('a: |\n  x\n  .\n');
  expect(written('a: "${{secret.A}}"\n', 'x\n')).toBe('a: "x\\n"\n');
});

test.each([
  ['a control character', 'a\x07b', '"a\\u0007b\\n"'],
  ['blanks at its start', '  a', '"  a\\n"'],
  ['nothing but blanks', '  ', '"  \\n"'],
  ['nothing', '', '""'],
  ['more newlines than the block keeps', 'a\n\n', '"a\\n\\n"'],
])('a block literal becomes one quoted line for %s', (_what, value, expected) => {
  expect(written('a: |  # why\n  ${{secret.A}}\n\nb: 1\n', value)).toBe(
    `a: ${value === '' ? '"\\n"' : expected}  # why\n\nb: 1\n`,
  );
});

test('a folded block keeps its style for one word and becomes one quoted line for more', () => {
  expect(written('a: >-\n  x\n  ${{secret.A}}\n', 'y z')).toBe('a: >-\n  x\n  y z\n');
  expect(written('a: >-\n  x\n  ${{secret.A}}\nb: 1\n', 'y\nz')).toBe('a: "x y\\nz"\nb: 1\n');
});

test('comments stay as they are, and their references need not exist', () => {
  const body =
    '# ${{secret.NO}} $${{secret.A}} ${{secret.\na: |  # ${{secret.NO}}\n  # ${{secret.A}}\nb: c # ${{secret.NO}}\n';
  expect(written(body, 'v')).toBe(body.replace('  # ${{secret.A}}', '  # v'));
});

test('a document without references is handed back to the byte, however broken', () => {
  const broken = 'a: [\n\tb: *c\n---\n{{ x }}\0';
  expect(written(broken, 'v')).toBe(broken);
});

test.each([
  ['a: &${{secret.A}} b\n', '2:5 A reference can stand in a YAML key or value only'],
  ['a: !${{secret.A}} b\n', '2:5 This YAML cannot be read: Tags and anchors must be separated'],
  ['%TAG ${{secret.A}} x\n---\na: b\n', '2:6 A reference can stand in a YAML key or value only'],
  ['[${{secret.A}}]: b\n', '2:2 A reference cannot stand in a list or map that is itself a key'],
  ['a: ${{secret.A}}\n---\nb: c\n', '3:1 A second YAML document begins here'],
  ['a: ${{secret.A}}\nb: "x\n', '4:1 This YAML cannot be read: Missing closing "quote'],
  ['a: "\\${{secret.A}}"\n', '2:5 This YAML cannot be read: Invalid escape sequence'],
  ['a: ${{secret.A}}\u2028b: c\n', '2:17 This character ends a line for the YAML reader of cloud-init'],
  ['a: ${{secret.A}}\rb: c\n', '2:17 This character ends a line for the YAML reader of cloud-init'],
])('%j is refused', (body, problem) => {
  expect(refusals(config(body), { A: 'canary' }).join('\n')).toContain(problem);
  expect(refusals(config(body), { A: 'canary' }).join('\n')).not.toMatch(/canary|[\ue000-\uf8ff]/);
});

test('a reference inside an alias is refused', () => {
  expect(refusals(config('a: *${{secret.A}}\n'), { A: 'v' }).join('\n')).toContain('2:5 A reference can stand in');
});

test('a key that would be too long for one line is refused, as a value it is not', () => {
  const A = 'k'.repeat(1_020);
  expect(refusals(config('${{secret.A}}: b\n'), { A })).toEqual([
    expect.stringMatching(/^2:1 With this value the key/),
  ]);
  expect(written('[${{secret.A}}, b]\n', A)).toBe(`[${A}, b]\n`);
  expect(written('{${{secret.A}}, b}\n', A)).toBe(`{${A}, b}\n`);
  expect(written('? ${{secret.A}}\n: b\n', A)).toBe(`? ${A}\n: b\n`);
});

test('broken YAML, unknown keys and unknown filters are told together', () => {
  expect(refusals(config('a: ${{secret.NO}}\nb: "${{secret.A | x}}\n'), { A: 'v' })).toEqual([
    '2:4 There is no secret with the key "NO".',
    '3:5 There is no such filter; the filters are sh, b64, json, sha512crypt.',
    expect.stringContaining('4:1 This YAML cannot be read'),
  ]);
});

test('in a JSON patch every value is quoted, on the line of the header too', () => {
  const patch = '#cloud-config-jsonp [{"op":"add","path":"/a","value": ${{secret.A}}, "b": "${{secret.A}}"}]\n';
  const output = rendered(patch, { A: 'wo"rd\u{1f600}\x07' });
  expect(JSON.parse(output.replace('#cloud-config-jsonp', ''))).toEqual([
    { op: 'add', path: '/a', value: 'wo"rd\u{1f600}\x07', b: 'wo"rd\u{1f600}\x07' },
  ]);
});
