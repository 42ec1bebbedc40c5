// secret-manager render, as a client of a real server.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { PROGRAM, QUICK_START } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { startTestServer, TEST_TOKEN, type TestServer } from '../support/test-server.ts';

const CANARY = 'yes: "canary" #\n- $(id)';
const DOCUMENT = '#cloud-config\na: ${{secret.LOGIN}}\n';
const INCOMPLETE = '#cloud-config\na: ${{secret.NOPE}}\nb: ${{secret.LOGIN | huh}}\nc: ${{secret.NOPE}}\n';

let server: TestServer;
let url: string;
let directory: string;

beforeAll(async () => {
  directory = temporaryDirectory();
  server = await startTestServer();
  url = await server.app.listen({ host: '127.0.0.1', port: 0 });
  await server.request('POST', '/api/secrets/lists', { body: { name: 'l' } });
  await server.request('POST', '/api/secrets/lists/l/values', {
    body: { secret_key: 'LOGIN', secret_value: CANARY },
  });
});
afterAll(() => server.close());

async function render(args: string[], input: string | undefined, environment: Record<string, string> = {}) {
  const { PATH = '' } = process.env;
  const [command, ...flags] = PROGRAM;
  const child = spawn(command, [...flags, 'render', ...args], {
    env: { PATH, ...QUICK_START, SECRET_MANAGER_URL: url, SECRET_MANAGER_API_KEY: TEST_TOKEN, ...environment },
  });
  child.stdin.end(input);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { exitCode: child.exitCode, stdout, stderr };
}

describe('render', () => {
  test('fills standard input and prints the result alone', async () => {
    const rendered = await render([], DOCUMENT);
    expect(rendered).toMatchObject({ exitCode: EXIT.ok, stderr: '' });
    expect(rendered.stdout).toBe(`#cloud-config\na: ${JSON.stringify(CANARY)}\n`);
  });

  test('takes a URL that ends in /api/, and a key from a file', async () => {
    const keyFile = join(directory, 'key');
    writeFileSync(keyFile, `${TEST_TOKEN}\n`);
    const environment = { SECRET_MANAGER_URL: `${url}/api/`, SECRET_MANAGER_API_KEY_FILE: keyFile };
    const [command, ...flags] = PROGRAM;
    const child = spawn(command, [...flags, 'render'], { env: { ...QUICK_START, ...environment } });
    child.stdin.end(DOCUMENT);
    expect(await text(child.stdout)).toContain('canary');
  });

  test('writes a file of mode 0600', async () => {
    const output = join(directory, 'rendered');
    expect((await render(['-o', output], DOCUMENT)).exitCode).toBe(EXIT.ok);
    expect(readFileSync(output, 'utf8')).toContain('canary');
    expect(statSync(output).mode & 0o777).toBe(0o600);
  });

  test('tells every problem with its place and no value, and leaves the output as it was', async () => {
    const output = join(directory, 'kept');
    writeFileSync(output, 'before');
    const refused = await render(['-o', output, '-'], INCOMPLETE);
    expect(refused).toMatchObject({ exitCode: EXIT.document, stdout: '' });
    for (const place of ['-:2:4', '-:3:4', '-:4:4']) expect(refused.stderr).toContain(place);
    expect(refused.stderr).not.toContain('canary');
    expect(readFileSync(output, 'utf8')).toBe('before');
  });

  test('substitutes plain text with --compat', async () => {
    const rendered = await render(['--compat'], 'KEY=${{secret.LOGIN}}\n');
    expect(rendered).toMatchObject({ exitCode: EXIT.ok, stdout: `KEY=${CANARY}\n` });
  });

  test('without references needs no server', async () => {
    const rendered = await render([], '#!/bin/sh\n', { SECRET_MANAGER_URL: 'http://127.0.0.1:9' });
    expect(rendered).toMatchObject({ exitCode: EXIT.ok, stdout: '#!/bin/sh\n' });
  });
});

describe('render --check', () => {
  test('lists references and problems, and renders nothing', async () => {
    const checked = await render(['--check', '--json'], INCOMPLETE);
    expect(checked.exitCode).toBe(EXIT.document);
    expect(JSON.parse(checked.stdout)).toMatchObject({
      kind: 'cloud-config',
      missing_keys: ['NOPE'],
      references: [{ secret_key: 'NOPE', line: 2 }, { secret_key: 'LOGIN' }, { secret_key: 'NOPE', line: 4 }],
    });
    expect(checked.stdout + checked.stderr).not.toContain('canary');
  });

  test('of a good document ends with 0, and warns of what others could read', async () => {
    const checked = await render(['--check'], '#cloud-config\nruncmd:\n- [echo, "${{secret.LOGIN}}"]\n');
    expect(checked).toMatchObject({ exitCode: EXIT.ok, stderr: '' });
    expect(checked.stdout).toMatch(/3:11: warning: .*\n$/);
  });
});

describe('a server that is no help', () => {
  test('cannot be reached: another exit code than for a missing key', async () => {
    const failed = await render([], DOCUMENT, { SECRET_MANAGER_URL: 'http://127.0.0.1:9' });
    expect(failed).toMatchObject({ exitCode: EXIT.server, stdout: '' });
    expect(failed.stderr).toBe(
      '127.0.0.1:9 cannot be reached (no connection); check SECRET_MANAGER_URL, or try again.\n',
    );
  });

  test('refuses the key', async () => {
    const failed = await render([], DOCUMENT, { SECRET_MANAGER_API_KEY: 'another-key-of-the-tests-and-of-nothing' });
    expect(failed).toMatchObject({ exitCode: EXIT.server, stdout: '' });
    expect(failed.stderr).toMatch(/^127\.0\.0\.1:\d+ refuses the API key; check SECRET_MANAGER_API_KEY\.\n$/);
  });

  test('answers something else', async () => {
    const other = createServer((_request, response) => response.end('<html>')).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const failed = await render([], DOCUMENT, { SECRET_MANAGER_URL: `http://127.0.0.1:${port}` });
    other.close();
    expect(failed).toMatchObject({ exitCode: EXIT.server, stdout: '' });
  });

  test('is not named: all that is missing is told', async () => {
    const failed = await render([], DOCUMENT, { SECRET_MANAGER_URL: '', SECRET_MANAGER_API_KEY: '' });
    expect(failed.exitCode).toBe(EXIT.configuration);
    expect(failed.stderr.trim().split('\n')).toHaveLength(2);
  });
});
