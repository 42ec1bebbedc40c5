// The environment: what is taken when nothing is said, and every fault told at once, in a sentence, without a value.

import { mkdtempSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig, VARIABLE_NAMES } from '../src/config.ts';
import { generateToken } from '../src/crypto/api-key-token.ts';
import { OperatorError } from '../src/domain/errors.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const base = temporaryDirectory();
const ROOT_KEY = Buffer.alloc(32, 7).toString('base64');
const OTHER_ROOT_KEY = Buffer.alloc(32, 8).toString('base64');
const TOKEN = 'a-key-of-the-tests-and-of-nothing-else';
const CANARY = 'canary-4f1d';

const WHOLE = {
  HOST: '0.0.0.0',
  PORT: '9000',
  SECRET_MANAGER_DATA_DIR: '/var/lib/secret-manager',
  SECRET_MANAGER_ROOT_KEY: ROOT_KEY,
  SECRET_MANAGER_API_KEY: TOKEN,
  SECRET_MANAGER_PUBLIC_URL: 'https://secrets.example.com/base/',
  SECRET_MANAGER_MAX_LISTS: '5',
  SECRET_MANAGER_MAX_VALUES: '600',
  SECRET_MANAGER_MAX_INSTANCES: '70',
  SECRET_MANAGER_AUDIT_RETENTION_DAYS: '400',
  LOG_LEVEL: 'warn',
};

const READ_WHOLE = {
  host: '0.0.0.0',
  port: 9000,
  dataDirectory: '/var/lib/secret-manager',
  rootKeys: [Buffer.alloc(32, 7)],
  rootKeyFile: undefined,
  firstApiKey: TOKEN,
  publicUrl: 'https://secrets.example.com/base',
  quotas: { lists: 5, values: 600, instances: 70 },
  auditRetentionDays: 400,
  logLevel: 'warn',
};

function fileWith(text: string): string {
  const path = join(mkdtempSync(join(base, 'files-')), 'file');
  writeFileSync(path, text);
  return path;
}

/** The sentences, one a line. */
function faultsOf(environment: Record<string, string>): string[] {
  try {
    readConfig(environment);
  } catch (error) {
    expect(error).toBeInstanceOf(OperatorError);
    expect((error as OperatorError).kind).toBe('configuration');
    return (error as Error).message.split('\n');
  }
  return [];
}

describe('settings', () => {
  test('have defaults', () => {
    expect(readConfig({})).toEqual({
      host: '127.0.0.1',
      port: 8080,
      dataDirectory: resolve('data'),
      rootKeys: undefined,
      rootKeyFile: undefined,
      firstApiKey: undefined,
      publicUrl: undefined,
      quotas: { lists: 10_000, values: 250_000, instances: 100_000 },
      auditRetentionDays: undefined,
      logLevel: 'info',
    });
  });

  test('are each taken from its variable', () => {
    expect(readConfig(WHOLE)).toEqual(READ_WHOLE);
  });

  test('are each taken from the file that is named, without the space around', () => {
    const environment = Object.fromEntries(
      Object.entries(WHOLE).map(([name, value]) => [`${name}_FILE`, fileWith(` ${value}\r\n`)]),
    );
    const rootKeyFile = environment['SECRET_MANAGER_ROOT_KEY_FILE'];
    expect(readConfig(environment)).toEqual({ ...READ_WHOLE, rootKeyFile });
  });

  test('are the only thing that is read of the environment', () => {
    expect(readConfig({ PATH: '/bin', NODE_ENV: 'test', SECRET_MANAGER_OTHER: 'x', host: 'x' })).toEqual(
      readConfig({}),
    );
    expect(VARIABLE_NAMES.toSorted()).toEqual([...Object.keys(WHOLE), 'SECRET_MANAGER_DATABASE_URL'].sort());
  });

  test('of a relative data directory are made absolute', () => {
    expect(readConfig({ SECRET_MANAGER_DATA_DIR: 'some/where' }).dataDirectory).toBe(resolve('some/where'));
  });

  test('have a root key of its own each time, since its bytes are overwritten', () => {
    readConfig(WHOLE).rootKeys?.[0]?.fill(0);
    expect(readConfig(WHOLE).rootKeys).toEqual([Buffer.alloc(32, 7)]);
  });
});

const ACCEPTED: Readonly<Record<string, readonly string[]>> = {
  HOST: ['127.0.0.1', '::', '::1', 'localhost'],
  PORT: ['0', '1', '80', '8080', '59999', '60000', '64999', '65499', '65529', '65535'],
  SECRET_MANAGER_API_KEY: ['x'.repeat(32), 'x'.repeat(128), 'A-Za-z0-9_-A-Za-z0-9_-A-Za-z0-9_-', generateToken()],
  SECRET_MANAGER_ROOT_KEY: [
    ROOT_KEY,
    `${'+/'.repeat(21)}8=`,
    ` ${ROOT_KEY}\n`,
    ...[',', ' ', '\n', '\r\n', ' , ', ',,'].map((separator) => `${ROOT_KEY}${separator}${OTHER_ROOT_KEY}`),
  ],
  SECRET_MANAGER_PUBLIC_URL: ['http://h', 'https://h:8443', 'http://[::1]:8080', 'https://h/a/b', 'https://h/'],
  SECRET_MANAGER_MAX_LISTS: ['1', '10000', '999999999'],
  SECRET_MANAGER_MAX_VALUES: ['1', '250000'],
  SECRET_MANAGER_MAX_INSTANCES: ['1', '100000'],
  LOG_LEVEL: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
};

const REFUSED: Readonly<Record<string, { sentence: string; values: readonly string[] }>> = {
  HOST: { sentence: 'HOST is empty; give an address or name to listen on.', values: [''] },
  PORT: {
    sentence: 'PORT is not a port; give a number from 0 to 65535.',
    values: ['', '65536', '70000', '99999', '100000', '-1', '+80', '80.0', '8e3', '0x50', ' 80', '80 ', '80\n', 'http'],
  },
  SECRET_MANAGER_DATA_DIR: { sentence: 'SECRET_MANAGER_DATA_DIR is empty; give a directory.', values: [''] },
  SECRET_MANAGER_DATABASE_URL: {
    sentence: 'SECRET_MANAGER_DATABASE_URL is set, but this version stores in SQLite alone; unset it.',
    values: [`postgres://user:${CANARY}@host/db`, 'sqlite:x', ''],
  },
  SECRET_MANAGER_ROOT_KEY: {
    sentence: 'SECRET_MANAGER_ROOT_KEY is not 32 bytes in base64; make one with "openssl rand -base64 32".',
    values: [
      '',
      CANARY,
      Buffer.alloc(31, 1).toString('base64'),
      Buffer.alloc(33, 1).toString('base64'),
      Buffer.alloc(64, 1).toString('base64'),
      Buffer.alloc(32, 1).toString('hex'),
      Buffer.alloc(32, 255).toString('base64url'),
      ',',
      ROOT_KEY.replace('=', ''),
    ],
  },
  SECRET_MANAGER_API_KEY: {
    sentence: 'SECRET_MANAGER_API_KEY is not an API key; give 32 to 128 characters of A-Z, a-z, 0-9, _ and -.',
    values: ['', CANARY, 'x'.repeat(31), 'x'.repeat(129), `${TOKEN}!`, `${TOKEN}\n`, `${TOKEN}é`, `${TOKEN} `],
  },
  SECRET_MANAGER_PUBLIC_URL: {
    sentence:
      'SECRET_MANAGER_PUBLIC_URL is not a URL; give one like https://secrets.example.com, without user, query or fragment.',
    values: ['', CANARY, 'ftp://h', 'https://', 'https:///x', 'https://h?x', 'https://h/#x', 'https://h /', '//h'],
  },
  SECRET_MANAGER_MAX_LISTS: {
    sentence: 'SECRET_MANAGER_MAX_LISTS is not a limit; give a whole number from 1 to 999999999.',
    values: ['', '0', '-1', '+5', '05', '1e3', '10.5', ' 10', '10_000', '1000000000', 'unlimited'],
  },
  SECRET_MANAGER_MAX_VALUES: {
    sentence: 'SECRET_MANAGER_MAX_VALUES is not a limit; give a whole number from 1 to 999999999.',
    values: ['', '0', '-1', CANARY],
  },
  SECRET_MANAGER_MAX_INSTANCES: {
    sentence: 'SECRET_MANAGER_MAX_INSTANCES is not a limit; give a whole number from 1 to 999999999.',
    values: ['', '0', '-1', CANARY],
  },
  LOG_LEVEL: {
    sentence: 'LOG_LEVEL is not a log level; give one of fatal, error, warn, info, debug, trace, silent.',
    values: ['', 'INFO', 'verbose', 'info ', CANARY],
  },
};

describe('each setting', () => {
  const accepted = Object.entries(ACCEPTED).flatMap(([name, values]) => values.map((value) => [name, value] as const));
  test.each(accepted)('%s may be %j', (name, value) => {
    expect(faultsOf({ [name]: value })).toEqual([]);
  });

  const refused = Object.entries(REFUSED).flatMap(([name, { sentence, values }]) =>
    values.map((value) => [name, value, sentence] as const),
  );
  test.each(refused)('%s may not be %j, and is told in one sentence', (name, value, sentence) => {
    expect(faultsOf({ [name]: value })).toEqual([sentence]);
  });

  test.each(VARIABLE_NAMES)('%s set in both ways is refused', (name) => {
    const value = (WHOLE as Record<string, string>)[name] ?? 'x';
    const faults = faultsOf({ [name]: value, [`${name}_FILE`]: fileWith(value) });
    expect(faults).toEqual([`${name} and ${name}_FILE are both set; unset one of them.`]);
  });

  test.each(VARIABLE_NAMES)('%s from a file that cannot be read is refused, and the file is not named', (name) => {
    const missing = join(base, CANARY);
    const unreadable = (code: string) => [`${name}_FILE names a file that cannot be read (${code}).`];
    expect(faultsOf({ [`${name}_FILE`]: missing })).toEqual(unreadable('ENOENT'));
    expect(faultsOf({ [`${name}_FILE`]: '' })).toEqual(unreadable('ENOENT'));
    expect(faultsOf({ [`${name}_FILE`]: base })).toEqual(unreadable('EISDIR'));
  });

  test.each(Object.entries(REFUSED))('%s from a file is held to the same rule', (name, { sentence, values }) => {
    for (const value of values.filter((each) => each === each.trim())) {
      expect(faultsOf({ [`${name}_FILE`]: fileWith(value) })).toEqual([sentence]);
    }
  });
});

describe('several root keys', () => {
  test('are taken in their order, from the variable and from its file', () => {
    const rootKeys = [Buffer.alloc(32, 7), Buffer.alloc(32, 8)];
    expect(readConfig({ SECRET_MANAGER_ROOT_KEY: `${ROOT_KEY},${OTHER_ROOT_KEY}` }).rootKeys).toEqual(rootKeys);
    const path = fileWith(`${ROOT_KEY}\n${OTHER_ROOT_KEY}\n`);
    expect(readConfig({ SECRET_MANAGER_ROOT_KEY_FILE: path })).toMatchObject({ rootKeys, rootKeyFile: path });
  });

  test('of which one is malformed are refused in one sentence that says which, and not what it is', () => {
    const wrong = Buffer.alloc(31, 9).toString('base64');
    const sentence = (which: number, of: number) =>
      `SECRET_MANAGER_ROOT_KEY has ${of} keys, and number ${which} is not 32 bytes in base64; make one with "openssl rand -base64 32".`;
    expect(faultsOf({ SECRET_MANAGER_ROOT_KEY: `${ROOT_KEY},${wrong}` })).toEqual([sentence(2, 2)]);
    expect(faultsOf({ SECRET_MANAGER_ROOT_KEY: `${wrong} ${ROOT_KEY} ${wrong}` })).toEqual([sentence(1, 3)]);
    expect(faultsOf({ SECRET_MANAGER_ROOT_KEY_FILE: fileWith(`${ROOT_KEY}\n${CANARY}\n`) })).toEqual([sentence(2, 2)]);
  });
});

describe('an API key that starts with smk_', () => {
  const sentence = 'SECRET_MANAGER_API_KEY starts with smk_ but its checksum is wrong; copy it again, whole.';

  test('must carry its checksum', () => {
    const token = generateToken();
    expect(readConfig({ SECRET_MANAGER_API_KEY: token }).firstApiKey).toBe(token);
    const wrong = token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A');
    expect(faultsOf({ SECRET_MANAGER_API_KEY: wrong })).toEqual([sentence]);
    expect(faultsOf({ SECRET_MANAGER_API_KEY_FILE: fileWith(wrong) })).toEqual([sentence]);
  });

  test('must be whole', () => {
    const token = generateToken();
    expect(faultsOf({ SECRET_MANAGER_API_KEY: token.slice(0, 40) })).toEqual([sentence]);
    expect(faultsOf({ SECRET_MANAGER_API_KEY: `${token}0` })).toEqual([sentence]);
  });
});

describe('faults', () => {
  const allWrong = Object.fromEntries(Object.entries(REFUSED).map(([name, { values }]) => [name, values[0] ?? '']));

  test('are told all at once, each once', () => {
    const faults = faultsOf(allWrong);
    expect(faults.toSorted()).toEqual(
      Object.values(REFUSED)
        .map(({ sentence }) => sentence)
        .sort(),
    );
  });

  test('of every kind are told together', () => {
    const faults = faultsOf({
      HOST: 'x',
      HOST_FILE: 'x',
      PORT: 'x',
      LOG_LEVEL_FILE: join(base, 'missing'),
      SECRET_MANAGER_API_KEY: `${generateToken()}0`,
    });
    expect(faults).toHaveLength(4);
  });

  test('never say what was in a variable or a file, or where a file is', () => {
    const direct = Object.fromEntries(VARIABLE_NAMES.map((name) => [name, `${CANARY}\n${CANARY}`]));
    const inFiles = Object.fromEntries(VARIABLE_NAMES.map((name) => [`${name}_FILE`, fileWith(` ${CANARY}! `)]));
    const missing = Object.fromEntries(VARIABLE_NAMES.map((name) => [`${name}_FILE`, `/${CANARY}/${name}`]));
    const token = `smk_${CANARY}`.padEnd(53, 'x');
    for (const environment of [
      direct,
      inFiles,
      missing,
      { ...direct, ...inFiles },
      { SECRET_MANAGER_API_KEY: token },
    ]) {
      const faults = faultsOf(environment);
      expect(faults.length).toBeGreaterThan(0);
      expect(faults.join('\n')).not.toContain(CANARY);
      for (const fault of faults) expect(fault).toMatch(/^[A-Z_]+ .*\.$/);
    }
  });

  test('are not kept in what was thrown', () => {
    let thrown: unknown;
    try {
      readConfig({ SECRET_MANAGER_ROOT_KEY: CANARY, SECRET_MANAGER_API_KEY_FILE: `/${CANARY}` });
    } catch (error) {
      thrown = error;
    }
    const { message, stack, cause } = thrown as Error;
    expect(`${message}${stack}${JSON.stringify(thrown)}`).not.toContain(CANARY);
    expect(cause).toBeUndefined();
  });
});
