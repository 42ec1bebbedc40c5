// Random cloud-configs with hostile values, read back by PyYAML: each value arrives to the character, as a string,
// and nothing else changes.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hasPyYaml, startReadBack, type Tagged } from '../support/read-back.ts';
import { HOSTILE_VALUES, lookupIn, render, type Values } from '../support/rendering.ts';

const RUNS = 500;
/** Stands where a reference will, for the reading to compare with. `z` ends a line of a block scalar, `q` doesn't. */
const WORD = /W([qz])(\d+)W/g;

/** A piece of a document: `before` must stay to the byte, `touched` holds the references. */
interface Piece {
  readonly text: string;
  readonly touched: boolean;
}

interface Entry {
  readonly style: keyof typeof STYLES;
  readonly before: string;
  readonly after: string;
  readonly values: readonly [string, string];
}

type Writer = (before: string, a: string, b: string, after: string, key: string) => Piece[];

const keep = (text: string): Piece => ({ text, touched: false });
const touch = (text: string): Piece => ({ text, touched: true });

const STYLES = {
  plain: (x, a, b, y, k) => [keep(`${k}: `), touch(`${x}${a}${b}${y}`), keep('  # why\n')],
  alone: (_x, a, _b, _y, k) => [keep(`${k}: `), touch(a), keep(' # alone\n')],
  doubleQuoted: (x, a, b, y, k) => [keep(`${k}: "${x}`), touch(`${a} \\t${b}`), keep(`${y}"\n`)],
  singleQuoted: (x, a, b, y, k) => [keep(`${k}:   `), touch(`'${x}${a} ''${b}${y}'`), keep('\n')],
  list: (x, a, b, y, k) => [keep(`${k}:\n- `), touch(a), keep('\n-  '), touch(`${x}${b}${y}`), keep('\n- 0644\n')],
  flowList: (x, a, b, y, k) => [keep(`${k}: [`), touch(`${x}${a}`), keep(', 0777 ,'), touch(`${b}${y}`), keep(']\n')],
  flowMap: (x, a, b, y, k) => [keep(`${k}: {u: `), touch(`${x}${a}`), keep(', "v": '), touch(`${b}${y}`), keep(' }\n')],
  nested: (x, a, b, y, k) => [
    keep(`${k}:\n    m:\n      - n: `),
    touch(a),
    keep('\n        o: yes\n      - p:   '),
    touch(`${x}${b}${y}`),
    keep('\n'),
  ],
  multiLinePlain: (x, a, b, y, k) => [keep(`${k}: `), touch(`p${x}${a}\n  and ${b}${y}`), keep('\n')],
  multiLineQuoted: (x, a, b, y, k) => [keep(`${k}: `), touch(`"${x}${a} \n  and ${b}${y}\n\n  end"`), keep('\n')],
  tagged: (x, a, b, y, k) => [keep(`${k}: !!str `), touch(`${x}${a}${b}${y}`), keep('\n')],
  anchored: (x, a, b, y, k) => [keep(`${k}: &${k} `), touch(`${x}${a}${b}${y}`), keep(`\n${k}again: *${k}\n`)],
  literal: (x, a, b, y, k) => [keep(`${k}: `), touch(`|\n  ${x}${a}${y}\n\n    deep ${b}\n`), keep('')],
  literalStrip: (x, a, b, y, k) => [keep(`${k}: `), touch(`|-  # note\n  ${a}\n  ${x}${b}${y}\n\n`), keep('')],
  literalKeep: (x, a, b, y, k) => [keep(`${k}: `), touch(`|+\n   ${x}${a}${y}\n   ${b}\n\n\n`), keep('')],
  literalIndent: (x, a, b, y, k) => [keep(`${k}: `), touch(`|1\n  ${x}${a}${y}\n ${b}\n`), keep('')],
  literalInList: (_x, a, b, y, k) => [keep(`${k}:\n- `), touch(`|\n ${a}\n ${b}${y}.\n`), keep('- last\n')],
  folded: (x, a, b, y, k) => [keep(`${k}: `), touch(`>\n  ${x}${a}\n  ${b}${y}.\n\n  more\n`), keep('')],
  foldedStrip: (x, a, b, y, k) => [keep(`${k}: `), touch(`>-\n  ${x}${a} ${b}${y}.\n    deeper\n`), keep('')],
} as const satisfies Record<string, Writer>;

const text = fc.constantFrom('', 'x', 'some text ', 'a-b_', '/usr/', 'k=', 'é', '\u{1f511}');
const value = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...HOSTILE_VALUES) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }).filter((s) => s.isWellFormed()) },
  {
    weight: 1,
    arbitrary: fc
      .array(fc.constantFrom(...' \n\t:#-"\'{}[],&*!|>%@`a0\\\r\0'), { maxLength: 9 })
      .map((c) => c.join('')),
  },
);
const entry: fc.Arbitrary<Entry> = fc.record({
  style: fc.constantFrom(...(Object.keys(STYLES) as (keyof typeof STYLES)[])),
  before: text,
  after: text.map((t) => t.trim()),
  values: fc.tuple(value, value),
});

interface Document {
  readonly template: string;
  readonly plain: string;
  readonly untouched: readonly string[];
  readonly values: Values;
}

function toDocument(entries: readonly Entry[], lineEnd: string): Document {
  const values: Record<string, string> = {};
  const pieces: Piece[] = [keep('#cloud-config\n# a comment with ${{secret.NOT THERE}}\n\n')];
  entries.forEach(({ style, before, after, values: [a, b] }, index) => {
    values[`q${2 * index}`] = a;
    values[`q${2 * index + 1}`] = b;
    pieces.push(...STYLES[style](before, `wq${2 * index}w`, `wq${2 * index + 1}w`, after, `key${index}`));
    if (index % 3 === 0) pieces.push(keep('# ---- next ----\n'));
  });
  const whole = (write: (piece: Piece) => string) => pieces.map(write).join('').replaceAll('\n', lineEnd);
  return {
    values,
    template: whole((piece) => piece.text.replace(/w(q\d+)w/g, (_word, key: string) => `\${{ secret.${key}}}`)),
    plain: whole(toPlain),
    untouched: pieces.filter((p) => !p.touched).map((p) => p.text.replaceAll('\n', lineEnd)),
  };
}

/** In a block scalar a reference at the end of its line loses a final newline of its value. */
function toPlain({ text, touched }: Piece): string {
  const isBlock = touched && /^[|>]/.test(text);
  return text.replace(/wq(\d+)w(?=(\n?))/g, (_word, n: string, end: string) => `W${isBlock && end ? 'z' : 'q'}${n}W`);
}

/** What the reading of the plain document becomes when each word is its value. */
function fill(read: Tagged, values: Values): unknown {
  if (typeof read === 'string') {
    return read.replace(WORD, (_word, end: string, index: string) => {
      const found = values[`q${index}`] ?? '';
      return end === 'z' ? found.replace(/\r?\n$/, '') : found;
    });
  }
  if (Array.isArray(read)) return read.map((item) => fill(item, values));
  return Object.fromEntries(
    Object.entries(read).map(([name, inner]) => [name, name === 'map' ? fill(inner as Tagged, values) : inner]),
  );
}

function expectInOrder(output: string, untouched: readonly string[]): void {
  let at = 0;
  for (const piece of untouched) {
    const found = output.indexOf(piece, at);
    expect(found, `untouched piece ${JSON.stringify(piece)}`).toBeGreaterThanOrEqual(0);
    at = found + piece.length;
  }
}

test.skipIf(!hasPyYaml)('every value arrives to the character and as a string, and all other bytes stay', async () => {
  const { yaml } = startReadBack();
  const documents = fc.record({
    entries: fc.array(entry, { minLength: 1, maxLength: 8 }),
    lineEnd: fc.constantFrom('\n', '\n', '\r\n'),
  });
  await fc.assert(
    fc.asyncProperty(documents, async ({ entries, lineEnd }) => {
      const document = toDocument(entries, lineEnd);
      const result = render(document.template, document.values);
      if ('problems' in result) throw new Error(JSON.stringify(result.problems));
      const output = result.bytes.toString();
      expect(await yaml(output)).toEqual(fill(await yaml(document.plain), document.values));
      expectInOrder(output, document.untouched);
    }),
    { numRuns: RUNS },
  );
});

test.skipIf(!hasPyYaml)('a hostile value that is the whole of a scalar arrives in every style', async () => {
  const { yaml } = startReadBack();
  const templates = [
    'k: ${{secret.A}}',
    "k: '${{secret.A}}'",
    'k: "${{secret.A}}"',
    'k: {x: ${{secret.A}}}',
    'k: [${{secret.A}},1]',
  ];
  for (const hostile of HOSTILE_VALUES) {
    for (const template of templates) {
      const result = render(`#cloud-config\n${template}\nlast: 0777\n`, { A: hostile });
      if ('problems' in result) throw new Error(JSON.stringify(result.problems));
      const read = JSON.stringify(await yaml(result.bytes.toString()));
      expect(read, `${template} with ${JSON.stringify(hostile)}`).toContain(JSON.stringify(hostile));
      expect(read).toContain('["last",{"int":"511"}]');
    }
  }
});

test.skipIf(!hasPyYaml)('a value as a mapping key arrives as a string key', async () => {
  const { yaml } = startReadBack();
  for (const hostile of HOSTILE_VALUES.filter((v) => JSON.stringify(v).length < 900)) {
    for (const template of ['${{secret.A}}: v', '? ${{secret.A}}\n: v', '{${{secret.A}}: v}']) {
      const result = render(`#cloud-config\n${template}\n`, { A: hostile });
      if ('problems' in result) throw new Error(JSON.stringify([template, hostile, result.problems]));
      expect(await yaml(result.bytes.toString())).toEqual({ map: [[hostile, 'v']] });
    }
  }
});

test('keys that are unknown are told for each occurrence, whatever the document', () => {
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 4 }), (entries) => {
      const document = toDocument(entries, '\n');
      const result = render(document.template, {});
      const count = document.template.split('${{ secret.').length - 1;
      expect('problems' in result && result.problems.length).toBe(count);
    }),
    { numRuns: 100 },
  );
  expect(lookupIn({})('toString')).toBeUndefined();
});
