// MIME, gzip, archives and Jinja, read back with cloud-init's own code; and what each kind refuses.

import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { checkUserData, renderUserData } from '../../src/cloud-init/user-data.ts';
import { hasCloudInit, startReadBack } from '../support/read-back.ts';
import { HOSTILE_VALUES, lookupIn, refusals, rendered, renderedBytes } from '../support/rendering.ts';

function multipart(parts: readonly string[], lineEnd = '\n'): string {
  const body = parts.map((part) => `--BOUNDARY\n${part}\n`).join('');
  return `MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="BOUNDARY"\n\npreamble\n${body}--BOUNDARY--\nepilogue\n`.replaceAll(
    '\n',
    lineEnd,
  );
}

describe.skipIf(!hasCloudInit)("cloud-init's own code", () => {
  const machine = hasCloudInit ? startReadBack() : (undefined as never);

  test('reads scripts and cloud-configs out of MIME with every value whole, in every transfer encoding', async () => {
    const script = '#!/bin/sh\necho é ${{secret.A}}\n';
    const config = '#cloud-config\na: ${{secret.A}}\n';
    for (const A of HOSTILE_VALUES) {
      for (const lineEnd of ['\n', '\r\n']) {
        const document = multipart(
          [
            `Content-Type: text/x-shellscript; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n${script}`,
            `Content-Type: text/cloud-config\nContent-Transfer-Encoding: base64\n\n${Buffer.from(config).toString('base64')}`,
            `Content-Transfer-Encoding: quoted-printable\nContent-Type: text/plain\n\n#!/bin/sh=0Aecho =C3=A9 ${'${{secret.=\nA}}'}=0A`,
            '\n#!/bin/sh\nuntouched',
          ],
          lineEnd,
        );
        const parts = await machine.parts(renderedBytes(Buffer.from(document), { A }));
        expect(parts.map(({ type }) => type)).toEqual([
          'text/x-shellscript',
          'text/cloud-config',
          'text/x-shellscript',
          'text/x-shellscript',
        ]);
        const [first, second, third, fourth] = parts.map(({ bytes }) => bytes.toString());
        expect(first).toBe(script.replaceAll('\n', lineEnd).replace('${{secret.A}}', () => A));
        expect(await machine.yaml(second ?? '')).toEqual({ map: [['a', A]] });
        expect(third).toBe(`#!/bin/sh\necho é ${A}\n`);
        expect(fourth).toBe('#!/bin/sh\nuntouched'.replaceAll('\n', lineEnd));
      }
    }
  }, 30_000);

  test('reads packed documents, packed parts and messages inside messages', async () => {
    const script = '#!/bin/sh\n${{secret.A}}\n';
    const packedPart = `Content-Type: application/gzip\nContent-Transfer-Encoding: base64\n\n${gzipSync(script).toString('base64')}`;
    const inner = `Content-Type: multipart/mixed; boundary=IN\n\n--IN\n\n${script}--IN--`;
    const document = gzipSync(multipart([packedPart, inner]));
    const A = '--BOUNDARY--\n--IN--\n{';
    const parts = await machine.parts(renderedBytes(document, { A }));
    expect(parts.map(({ bytes }) => bytes.toString())).toEqual([`#!/bin/sh\n${A}\n`, `#!/bin/sh\n${A}`]);
  });

  test('reads every member of an archive as meant, whatever the values', async () => {
    const archive = [
      '#cloud-config-archive',
      '- type: text/cloud-config',
      '  content: |',
      '    #cloud-config',
      '    a: ${{secret.A}}',
      '    b: [ "${{secret.A}}" ]',
      '- content: "#!/bin/sh\\necho ${{secret.A}}.\\n"',
      '- |',
      '  #!/bin/sh',
      '  echo ${{secret.A}}.',
      '',
    ].join('\n');
    for (const A of HOSTILE_VALUES) {
      const [config, ...scripts] = await machine.parts(renderedBytes(Buffer.from(archive), { A }));
      expect(config?.type).toBe('text/cloud-config');
      expect(await machine.yaml(config?.bytes.toString() ?? '')).toEqual({
        map: [
          ['a', A],
          ['b', [A]],
        ],
      });
      for (const { type, bytes } of scripts) {
        expect(type).toBe('text/x-shellscript');
        expect(bytes.toString()).toBe(`#!/bin/sh\necho ${A}.\n`);
      }
    }
  });

  test('evaluates nothing of a value in a Jinja template, neither in a script nor in a cloud-config', async () => {
    const script =
      '## template: jinja\n#!/bin/sh\n{% if yes -%} ${{secret.A}} {%- endif %}\n{% if yes %}${{secret.A}}{% endif %}<{{ v }}>\n';
    const config = [
      '## template: jinja',
      '#cloud-config',
      '{% if yes %}',
      'a: ${{secret.A}}',
      '{% endif %}',
      '{# a note #}',
      'b: "${{secret.A}} {{ v }}"',
      'c: |',
      '  {{ v }}',
      "d: '{{ v }}'",
      '',
    ].join('\n');
    for (const A of HOSTILE_VALUES) {
      const run = async (text: string) => await machine.jinja(rendered(text, { A }), { yes: true, v: 'shown' });
      expect(await run(script)).toBe(`#!/bin/sh\n${A}${A}<shown>\n`);
      expect(await machine.yaml(await run(config))).toEqual({
        map: [
          ['a', A],
          ['b', `${A} shown`],
          ['c', 'shown\n'],
          ['d', 'shown'],
        ],
      });
    }
  });

  test('is not led to another kind by a value, or the document is refused', async () => {
    const templates = [
      '${{secret.A}}\n',
      '#cloud-${{secret.A}}',
      '#!/bin/sh\n${{secret.A}}',
      '#cloud-config\na: ${{secret.A}}\n',
      'text ${{secret.A}}',
    ];
    const values = [
      '#!/bin/sh',
      '#cloud-config\n',
      'config',
      'MIME-Version: 1.0\nContent-Type: text/x-shellscript\n\n#!/bin/sh',
      'mime-version: é',
    ];
    for (const template of templates) {
      for (const A of values) {
        const kind = (await machine.parts(Buffer.from(template.replace('${{secret.A}}', 'x'))))[0]?.type;
        const result = renderUserData(Buffer.from(template), lookupIn({ A }));
        if ('problems' in result) continue;
        const [part] = await machine.parts(result.bytes);
        // Both are no kind at all: nothing is done with such a part.
        expect(part?.type.replace('text/plain', 'text/x-not-multipart'), `${template} with ${A}`).toBe(kind);
        expect(part?.bytes.toString()).toBe(result.bytes.toString());
      }
    }
  });
});

test('a value cannot make a document another kind, nor hand it to a reader that spoils it', () => {
  expect(refusals('${{secret.A}}\n', { A: '#!/bin/sh' })).toEqual([
    expect.stringContaining('take this document for another kind'),
  ]);
  expect(refusals('#!/bin/sh\nmail "Mime-Version: 1" ${{secret.A}}\n', { A: 'é' })).toEqual([
    expect.stringContaining('names mime-version: in its first 4,096 bytes'),
  ]);
  expect(rendered('#!/bin/sh\nmail "Mime-Version: 1" ${{secret.A}}\n', { A: 'e' })).toContain(' e\n');
});

test('a byte order mark before a known kind is dropped, because cloud-init would not see the kind', () => {
  expect(rendered('\ufeff#cloud-config\na: ${{secret.A}}\n', { A: 'v' })).toBe('#cloud-config\na: v\n');
  expect(rendered('\ufeffjust text ${{secret.A}}', { A: 'v' })).toBe('\ufeffjust text v');
});

test('NUL and other characters go into scripts as they are', () => {
  const A = '\0\x1b\u2028\r\n\ufeff';
  expect(rendered('#!/bin/sh\n${{secret.A}}', { A })).toBe(`#!/bin/sh\n${A}`);
});

test('a value with a line break is refused in a list of URLs', () => {
  expect(rendered('#include\nhttps://x/${{secret.A}}\n', { A: 'a?b=c' })).toBe('#include\nhttps://x/a?b=c\n');
  for (const lineBreak of ['\n', '\r', '\v', '\f', '\x1c', '\x85', '\u2028']) {
    const found = refusals('#include-once\nhttps://x/${{secret.A}}\n', { A: `a${lineBreak}https://evil` });
    expect(found).toEqual(['2:11 A value with a line break cannot stand in a list of URLs.']);
  }
});

test('in MIME only the parts that change are written anew, with their other headers', () => {
  const document = multipart([
    'X-One: 1\nContent-Type: text/x-shellscript\nX-Two: 2\n\n#!/bin/sh\n${{secret.A}}',
    'X: é\n\nstays $&',
  ]);
  expect(rendered(document, { A: 'v' })).toBe(
    document.replace(
      'X-Two: 2\n\n#!/bin/sh\n${{secret.A}}',
      'X-Two: 2\nContent-Transfer-Encoding: base64\n\nIyEvYmluL3NoCnY=',
    ),
  );
  expect(rendered(multipart(['\n#!/bin/sh']), {})).toBe(multipart(['\n#!/bin/sh']));
});

test('problems inside MIME say which part, with line and column of the part once decoded', () => {
  const inner = `Content-Type: multipart/mixed; boundary=IN\n\n--IN\n\n#!/bin/sh\n\n ${'${{secret.NO}}'}\n--IN--`;
  const encoded = Buffer.from('#cloud-config\na: ${{secret.NO}}\n').toString('base64');
  const config = `Content-Type: text/cloud-config\nContent-Transfer-Encoding: base64\n\n${encoded}`;
  const { problems } = checkUserData(Buffer.from(multipart([inner, config])), () => false);
  expect(problems.map(({ part, line, column }) => [part, line, column])).toEqual([
    ['part 1.1', 3, 2],
    ['part 2', 2, 4],
  ]);
});

test.each([
  ['a header', 'Subject: ${{secret.A}}\n\nx', 'cannot stand in the headers'],
  ['an unknown transfer encoding', 'Content-Transfer-Encoding: uuencode\n\n${{secret.A}}', 'of this transfer encoding'],
  ['a message inside', 'Content-Type: message/rfc822\n\nX: y\n\n${{secret.A}}', 'in a message inside a message'],
  ['a multipart without a boundary', 'Content-Type: multipart/mixed\n\n${{secret.A}}', 'without a boundary'],
])('a reference in %s is refused', (_what, part, problem) => {
  expect(refusals(multipart([part]), { A: 'v' })).toEqual([expect.stringContaining(problem)]);
});

test('gzip is unpacked and packed again, and stays to the byte when nothing changes', () => {
  const packed = gzipSync('#cloud-config\na: ${{secret.A}}\n');
  expect(gunzipSync(renderedBytes(packed, { A: '1' })).toString()).toBe('#cloud-config\na: "1"\n');
  const still = gzipSync('#cloud-config\na: 1\n', { level: 1 });
  expect(renderedBytes(still)).toEqual(still);
});

test.each([
  ['a: {{ x }}${{secret.A}}\n', 'two words', 'needs double quotes here'],
  ['a: |\n  {{ x }}\n  ${{secret.A}}\n', '\x07', 'needs double quotes here'],
  ['a: "{{ "${{secret.A}}" }}"\n', 'v', 'cannot stand inside a Jinja tag'],
  ['a: "{% raw %}${{secret.A}}{% endraw %}"\n', 'v', 'cannot stand inside a Jinja tag'],
  ['a: "{${{secret.A}}"\n', '% x', 'right behind a {'],
  ['a: "${{secret.A}}{{ "\n', 'v', '3:18 The Jinja tag that begins here has no end.'],
])('in a Jinja template %j with %j is refused', (body, A, problem) => {
  expect(refusals(`## template: jinja\n#cloud-config\n${body}`, { A }).join()).toContain(problem);
});

test.each(['#cloud-config-jsonp\n', '#include\n', '#cloud-config-archive\n- ', '{{ x }}\n'])(
  'under a Jinja header %j takes no references',
  (start) => {
    const found = refusals(`## template: jinja\n${start}\${{secret.A}}\n`, { A: 'v' });
    expect(found).toEqual([expect.stringContaining('Under a Jinja header')]);
  },
);

test('problems in an archive have the lines of the archive', () => {
  const archive = '#cloud-config-archive\n- content: |\n    #cloud-config\n    a: ${{secret.NO}}\n    b: "x\n';
  expect(refusals(archive)).toEqual([
    '4:8 There is no secret with the key "NO".',
    expect.stringMatching(/^[56]:\d+ This YAML cannot be read/),
  ]);
});

test('characters beyond ASCII are refused in a compressed part, where cloud-init would spoil them', () => {
  const packed = gzipSync('#!/bin/sh\n${{secret.A}}\n').toString('base64');
  const part = `Content-Type: application/gzip\nContent-Transfer-Encoding: base64\n\n${packed}`;
  expect(refusals(multipart([part]), { A: 'é' })).toEqual([
    expect.stringContaining('beyond ASCII in a compressed part'),
  ]);
});

test('bytes that are no UTF-8 are handed back without references, and refused with one', () => {
  const binary = Buffer.from([0x23, 0x21, 0x0a, 0xff, 0xfe]);
  expect(renderedBytes(binary)).toEqual(binary);
  const message = Buffer.concat([Buffer.from('MIME-Version: 1.0\n\n'), binary]);
  expect(renderUserData(message, () => 'v')).toHaveProperty('problems');
  const result = renderUserData(Buffer.concat([binary, Buffer.from('${{secret.A}}')]), () => 'v');
  expect(result).toEqual({
    problems: [{ message: 'This document is not UTF-8 text.', part: undefined, line: 2, column: 1 }],
  });
});
