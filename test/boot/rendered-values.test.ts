// Every hostile value in every style of YAML, in each kind of document, through the real cloud-init: what it writes is
// what was meant, to the byte.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ListeningServer, startListeningServer } from '../support/listening-server.ts';
import { HOSTILE_VALUES } from '../support/rendering.ts';
import { TEST_TOKEN } from '../support/test-server.ts';
import { bootMachine, canBoot, type Machine } from './sandbox.ts';

const ITEM_MODE = 0o640;

interface Style {
  /** An item of write_files with a reference in it. */
  readonly item: (path: string, reference: string) => string;
  readonly written: (value: string) => string;
}

const asItIs = (value: string) => value;
/** A reference that ends its line in a block loses one final newline of its value, as `$(cat file)` does. */
const withoutFinalNewline = (value: string) => value.replace(/\r?\n$/, '');

const STYLES: Readonly<Record<string, Style>> = {
  plain: { item: (path, a) => `- path: ${path}\n  content: ${a}\n`, written: asItIs },
  'single-quoted': { item: (path, a) => `- path: ${path}\n  content: '${a}'\n`, written: asItIs },
  'double-quoted': { item: (path, a) => `- path: ${path}\n  content: "${a}"\n`, written: asItIs },
  literal: {
    item: (path, a) => `- path: ${path}\n  content: |\n    first\n      ${a}\n    last\n`,
    written: (value) => `first\n  ${withoutFinalNewline(value)}\nlast\n`,
  },
  'literal-alone': {
    item: (path, a) => `- path: ${path}\n  content: |-\n    ${a}\n`,
    written: withoutFinalNewline,
  },
  folded: {
    item: (path, a) => `- path: ${path}\n  content: >\n    first\n    ${a}\n    last\n`,
    written: (value) => `first ${withoutFinalNewline(value)} last\n`,
  },
  flow: { item: (path, a) => `- {path: ${path}, content: ${a}, append: false}\n`, written: asItIs },
  'flow-quoted': { item: (path, a) => `- {"path": "${path}", "content": "${a}"}\n`, written: asItIs },
  'among-keys': {
    item: (path, a) => `- owner: root:root\n  content: ${a}  # why\n  permissions: '0640'\n  path: ${path}\n`,
    written: asItIs,
  },
  'in-text': {
    item: (path, a) => `- path: ${path}\n  content: before ${a} between ${a} after\n`,
    written: (value) => `before ${value} between ${value} after`,
  },
  'in-quoted-text': {
    item: (path, a) => `- path: ${path}\n  content: "\\tbefore ${a}\\n${a} after"\n`,
    written: (value) => `\tbefore ${value}\n${value} after`,
  },
  'in-base64': {
    item: (path, a) => `- path: ${path}\n  encoding: b64\n  content: ${a.replace('}}', ' | b64}}')}\n`,
    written: asItIs,
  },
};

const values = HOSTILE_VALUES.map((value, index) => ({
  value,
  name: `V${index}`,
  reference: `\${{secret.V${index}}}`,
}));
/** Flow sequences: the words of commands, which can't have a NUL. */
const words = values.filter(({ value }) => !value.includes('\0'));

const cloudConfig = [
  '#cloud-config\n',
  'runcmd:\n',
  '- mkdir /srv/command\n',
  ...words.map(
    ({ name, reference }) => `- [sh, -c, 'printf %s "$1" >"$0"', /srv/command/${name}, ${reference}, last]\n`,
  ),
  'write_files:\n',
  ...Object.entries(STYLES).flatMap(([style, { item }]) =>
    values.map(({ name, reference }) => item(`/srv/${style}/${name}`, reference)),
  ),
].join('');

const expected: readonly { readonly path: string; readonly text: string }[] = [
  ...Object.entries(STYLES).flatMap(([style, { written }]) =>
    values.map(({ name, value }) => ({ path: `/srv/${style}/${name}`, text: written(value) })),
  ),
  ...words.map(({ name, value }) => ({ path: `/srv/command/${name}`, text: value })),
];

/** Some hostile values hold this boundary and a script behind it. */
const MULTIPART = [
  'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="BOUNDARY"\n\n',
  '--BOUNDARY\nContent-Type: text/x-shellscript; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n',
  '#!/bin/sh\nprintf %s ${{secret.V0 | sh}}é >/srv/script\n\n',
  '--BOUNDARY\nContent-Type: text/cloud-config; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n',
  `${cloudConfig}\n--BOUNDARY--\n`,
].join('');

describe.skipIf(!canBoot)('cloud-init writes every hostile value in every style', () => {
  let server: ListeningServer;

  beforeAll(async () => {
    server = await startListeningServer();
    await server.request('POST', '/api/secrets/lists', { body: { name: 'hostile' } });
    for (const { name, value } of values) {
      const body = { secret_key: name, secret_value: value };
      const answer = await server.request('POST', '/api/secrets/lists/hostile/values', { body });
      expect(answer.status, answer.text).toBe(200);
    }
  });
  afterAll(() => server.end());

  async function bootInstance(name: string, userData: string): Promise<Machine> {
    const body = { instance_id: name, hostname: name, user_data: userData };
    const answer = await server.request('POST', '/api/cloud-init/instances', { body });
    expect(answer.status, answer.text).toBe(200);
    return bootMachine(answer.json.data.kernel_command_line);
  }

  test('of a cloud-config', async () => {
    expectAllWritten(await bootInstance('config', cloudConfig));
  });

  test('of a Jinja template, which is evaluated and no value is', async () => {
    const template = '- {path: /srv/template, content: "{{ v1.local_hostname }} {{ 6 * 7 }} ${{secret.V4}}"}\n';
    const machine = await bootInstance('jinja', `## template: jinja\n${cloudConfig}${template}`);
    expectAllWritten(machine);
    expect(machine.file('/srv/template')).toBe(`jinja 42 ${HOSTILE_VALUES[4]}`);
  });

  test('of a MIME message, of which no value is a part', async () => {
    const machine = await bootInstance('mime', MULTIPART);
    expectAllWritten(machine);
    expect(machine.file('/srv/script')).toBe('é');
    expect(machine.console).not.toContain('uid=0');
  });

  test('of a document that came packed', async () => {
    const answer = await fetch(`http://127.0.0.1:${server.port}/api/cloud-init/render`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_TOKEN}`, 'content-type': 'application/octet-stream' },
      body: gzipSync(cloudConfig),
    });
    expect(answer.status).toBe(200);
    expectAllWritten(await bootFrom(Buffer.from(await answer.arrayBuffer())));
  });
});

/** A seed of fixed files, as a plain web server would have it. */
async function bootFrom(userData: Buffer): Promise<Machine> {
  const files: Readonly<Record<string, Buffer | string>> = {
    '/meta-data': 'instance-id: packed\nlocal-hostname: packed\n',
    '/user-data': userData,
  };
  const seed = createServer((request, response) => response.end(files[request.url ?? ''] ?? ''));
  await once(seed.listen(0, '127.0.0.1'), 'listening');
  try {
    const { port } = seed.address() as AddressInfo;
    return await bootMachine(`ds=nocloud;dsmode=net;s=http://127.0.0.1:${port}/`);
  } finally {
    seed.close();
  }
}

function expectAllWritten(machine: Machine): void {
  expect(machine.exitCodes).toEqual([0, 0, 0, 0, 0]);
  expect(machine.complaints).toEqual([]);
  const wrong = expected.filter(({ path, text }) => machine.file(path) !== text);
  expect(wrong.map(({ path, text }) => [path, text, machine.file(path)])).toEqual([]);
  const items = values.map(({ name }) => machine.mode(`/srv/among-keys/${name}`));
  expect(items.filter((mode) => mode !== ITEM_MODE)).toEqual([]);
}
