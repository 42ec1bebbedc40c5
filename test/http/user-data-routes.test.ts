// /api/cloud-init/render and /api/cloud-init/check: user-data in each of its four types, everything that is wrong with
// it at once, and nothing of another account.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answer, TestServer } from '../support/test-server.ts';
import { expectCommonHeaders, expectFailure, expectSuccess } from './api-answers.ts';
import { putSecret, startSeedServer } from './seed-stage.ts';

const RENDER = '/api/cloud-init/render';
const CHECK = '/api/cloud-init/check';
const TEXT = { 'content-type': 'text/plain' };
const DOCUMENT = '#cloud-config\npassword: ${{secret.LOGIN}}\nother: ${{ secret.DB PASSWORD }}\n';
const RENDERED = '#cloud-config\npassword: "canary: one"\nother: canary-two\n';

let server: TestServer;
let reader: string;

beforeAll(async () => {
  server = await startSeedServer();
  await putSecret(server, 'LOGIN', 'canary: one');
  await putSecret(server, 'DB PASSWORD', 'canary-two');
  await putSecret(server, 'LINES', 'canary\nlines');
  await putSecret(server, 'LONG', `canary${'x'.repeat(600)}`);
  reader = (await server.newKey('default', 'read')).token;
  await putSecret(server, 'THEIRS', 'their-canary', (await server.newKey('others')).token);
});
afterAll(() => server.close());

function raw(url: string, body: string | Uint8Array, type = 'text/plain', token?: string): Promise<Answer> {
  const headers = { 'content-type': type };
  return server.request('POST', url, token === undefined ? { headers, body } : { headers, body, token });
}

const base64 = (text: string | Uint8Array) => Buffer.from(text as string).toString('base64');

/** The sentences about the document. */
function problemsOf(answer: Answer): string[] {
  expectFailure(answer, 422, ['script_content']);
  return answer.json.fields.script_content;
}

describe('rendering', () => {
  test.each([
    'text/plain',
    'text/plain; charset=utf-8',
    'text/cloud-config',
    'text/x-shellscript',
    'application/octet-stream',
  ])('a raw body of %s is answered with the text, in the same type', async (type) => {
    const answer = await raw(RENDER, DOCUMENT, type);
    expect([answer.status, answer.text]).toEqual([200, RENDERED]);
    expect(answer.headers['content-type']).toBe(type);
    expectCommonHeaders(answer);
  });

  test('JSON and forms with script_content in base64 are answered alike, in the envelope', async () => {
    const fields = { script_content: base64(DOCUMENT) };
    const answers = [
      await server.request('POST', RENDER, { body: fields }),
      await server.form('POST', RENDER, fields),
      await server.request('POST', RENDER, {
        body: { script_content: fields.script_content.replace(/.{20}/g, '$&\n') },
      }),
    ];
    for (const answer of answers) expect(expectSuccess(answer)).toEqual({ script_content: base64(RENDERED) });
  });

  test('needs no more than the right to read', async () => {
    expect((await raw(RENDER, DOCUMENT, 'text/plain', reader)).text).toBe(RENDERED);
    expectSuccess(await raw(CHECK, DOCUMENT, 'text/plain', reader));
  });

  test('leaves bytes that are nobody’s reference as they are', async () => {
    const document = Buffer.from('#!/bin/sh\necho "$HOME" $${{secret.LOGIN}} ${{ github.x }}\r\n\u00e9');
    expect((await raw(RENDER, document)).text).toBe(
      '#!/bin/sh\necho "$HOME" ${{secret.LOGIN}} ${{ github.x }}\r\n\u00e9',
    );
  });

  test('says all problems at once, each with its line and column, and none has a value in it', async () => {
    const document = [
      '#cloud-config',
      'a: ${{secret.NOTHING}}',
      'b: ${{secret.LOGIN}} ${{secret.THEIRS}}',
      'c: ${{secret.LOGIN | nothing}}',
      'd: ${{secret.LOGIN',
      'e: ${{secret.LONG | sha512crypt}}',
      '',
    ].join('\n');
    for (const answer of [
      await raw(RENDER, document),
      await raw(RENDER, document, 'application/octet-stream'),
      await server.request('POST', RENDER, { body: { script_content: base64(document) } }),
    ]) {
      const problems = problemsOf(answer);
      expect(problems.map((problem) => /^Line (\d+, column \d+): /.exec(problem)?.[1])).toEqual([
        '2, column 4',
        '3, column 22',
        '4, column 4',
        '5, column 4',
        '6, column 4',
      ]);
      expect(problems[0]).toContain('"NOTHING"');
      expect(answer.text).not.toContain('canary');
    }
  });

  test("another account's secret is as unknown as one that is nowhere", async () => {
    const [theirs] = problemsOf(await raw(RENDER, '#!/bin/sh\n${{secret.THEIRS}}'));
    const [unknown] = problemsOf(await raw(RENDER, '#!/bin/sh\n${{secret.NOBODY}}'));
    expect(theirs?.replace('THEIRS', 'NOBODY')).toBe(unknown);
    expect(expectSuccess(await raw(CHECK, '#!/bin/sh\n${{secret.THEIRS}}')).missing_keys).toEqual(['THEIRS']);
  });

  test.each([
    ['nothing', {}],
    ['no base64', { script_content: 'a' }],
    ['base64url', { script_content: '__--' }],
    ['a number', { script_content: 7 }],
    ['an array', { script_content: ['aaaa'] }],
  ])('%s in the place of script_content is 422, for check too', async (_, body) => {
    for (const url of [RENDER, CHECK])
      expectFailure(await server.request('POST', url, { body }), 422, ['script_content']);
  });

  test('a document over 1 MiB is 422, of 1 MiB it is rendered', async () => {
    const most = `#!/bin/sh\n#${'x'.repeat(1_048_576 - 11)}`;
    expect((await raw(RENDER, most)).text).toBe(most);
    expect(problemsOf(await raw(RENDER, `${most}x`))).toEqual([expect.stringContaining('1 MiB')]);
  });

  test('other types are 415, and no other route takes text', async () => {
    for (const type of ['image/png', 'application/yaml', 'multipart/mixed; boundary=a']) {
      expectFailure(await raw(RENDER, DOCUMENT, type), 415);
    }
    for (const url of ['/api/secrets/lists', '/api/cloud-init/instances']) {
      expectFailure(await raw(url, DOCUMENT), 415);
      expectFailure(await raw(url, DOCUMENT, 'application/octet-stream'), 415);
    }
  });

  test('a compressed request is 415, since it would be taken for a packed document', async () => {
    const answer = await server.request('POST', RENDER, {
      headers: { ...TEXT, 'content-encoding': 'gzip' },
      body: 'x',
    });
    expectFailure(answer, 415);
  });
});

describe('a document over 8 KiB', () => {
  const FILLER = `# ${'x'.repeat(60)}\n`;

  test('is rendered and checked the same as a small one', async () => {
    const long = DOCUMENT + FILLER.repeat(200);
    const answer = await raw(RENDER, long);
    expect([answer.status, answer.text]).toEqual([200, RENDERED + FILLER.repeat(200)]);
    const enveloped = await server.request('POST', RENDER, { body: { script_content: base64(long) } });
    expect(expectSuccess(enveloped)).toEqual({ script_content: base64(answer.text) });
    expect(expectSuccess(await raw(CHECK, long)).references).toHaveLength(2);
    expect(problemsOf(await raw(RENDER, `${long}z: \${{secret.NOTHING}}\n`))).toHaveLength(1);
  });

  test('does not keep others waiting', async () => {
    const heavy = `#cloud-config\n${Array.from({ length: 9_000 }, (_, i) => `k${i}: "\${{secret.LOGIN}}"\n`).join('')}`;
    const order: string[] = [];
    const rendering = raw(RENDER, heavy).then((answer) => {
      order.push('heavy');
      return answer;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    await server.request('GET', '/api/secrets/lists').then(() => order.push('list'));
    await raw(RENDER, DOCUMENT).then(() => order.push('small'));
    expect((await rendering).status).toBe(200);
    expect(order).toEqual(['list', 'small', 'heavy']);
  });
});

describe('checking', () => {
  test('renders nothing, and tells kind, references with their places, missing keys, size and warnings', async () => {
    const document = '#cloud-config\npassword: ${{secret.LOGIN}}\nk: ${{secret.NOTHING | b64}}\n';
    const answer = await raw(CHECK, document);
    expect(expectSuccess(answer)).toEqual({
      kind: 'cloud-config',
      packed: false,
      references: [
        { secret_key: 'LOGIN', filter: null, line: 2, column: 11, part: null },
        { secret_key: 'NOTHING', filter: 'b64', line: 3, column: 4, part: null },
      ],
      missing_keys: ['NOTHING'],
      problems: [{ message: expect.stringContaining('"NOTHING"'), line: 3, column: 4, part: null }],
      warnings: [{ message: expect.stringContaining('plain text'), line: 2, column: 11, part: null }],
      bytes: document.length,
      fits_clouds: true,
    });
    expect(answer.text).not.toContain('canary');
  });

  test('answers the same to each type of body', async () => {
    const fields = { script_content: base64(DOCUMENT) };
    const expected = expectSuccess(await raw(CHECK, DOCUMENT));
    for (const answer of [
      await raw(CHECK, DOCUMENT, 'application/octet-stream'),
      await server.request('POST', CHECK, { body: fields }),
      await server.form('POST', CHECK, fields),
    ]) {
      expect(expectSuccess(answer)).toEqual(expected);
    }
  });

  test.each([
    [16_384, true],
    [16_385, false],
  ])('of %i bytes says whether clouds take them: %s', async (bytes, fits) => {
    const checked = expectSuccess(await raw(CHECK, `#!/bin/sh\n#${'x'.repeat(bytes - 11)}`));
    expect(checked).toMatchObject({ kind: 'script', bytes, fits_clouds: fits });
  });

  test('says problems in place of refusing a document that cannot be rendered', async () => {
    const checked = expectSuccess(await raw(CHECK, '#!/bin/sh\n${{secret.LOGIN | nothing}}\n${{secret.'));
    expect(checked.problems.map(({ line }: { line: number }) => line)).toEqual([2, 3]);
  });

  test('names the part of a message that a place is in', async () => {
    const mime = [
      'Content-Type: multipart/mixed; boundary="b"',
      'MIME-Version: 1.0',
      '',
      '--b',
      'Content-Type: text/cloud-config',
      '',
      '#cloud-config',
      'a: ${{secret.NOTHING}}',
      '--b--',
      '',
    ].join('\n');
    const checked = expectSuccess(await raw(CHECK, mime));
    expect(checked).toMatchObject({ kind: 'mime', missing_keys: ['NOTHING'] });
    expect(checked.problems).toEqual([
      { message: expect.any(String), part: expect.any(String), line: expect.any(Number), column: expect.any(Number) },
    ]);
  });
});

test('no value, document or key name is in any log line', () => {
  expect(server.logLines.length).toBeGreaterThan(40);
  for (const line of server.logLines) expect(line).not.toMatch(/canary|LOGIN|NOTHING|cloud-config/);
});
