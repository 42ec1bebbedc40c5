// Where the root key comes from, and every reason for which there is none.

import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { createRootKey } from '../../src/crypto/root-key.ts';
import { hasRootKeyFile, provideRootKeys } from '../../src/crypto/root-key-providers.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const base = temporaryDirectory();
const ONE = Buffer.alloc(32, 1);
const OTHER = Buffer.alloc(32, 2);
const ONE_FINGERPRINT = createRootKey(Buffer.from(ONE)).fingerprint;
const OTHER_FINGERPRINT = createRootKey(Buffer.from(OTHER)).fingerprint;

let directory: string;
let keyPath: string;
let pendingPath: string;
beforeEach(() => {
  directory = mkdtempSync(join(base, 'keys-'));
  keyPath = join(directory, 'root.key');
  pendingPath = join(directory, 'root.key.pending');
});

function write(path: string, bytes: Buffer, mode = 0o600): void {
  writeFileSync(path, `${bytes.toString('base64')}\n`);
  chmodSync(path, mode);
}

function provide(storedFingerprints: readonly string[] = [], configured?: Buffer) {
  const copies = configured && [Buffer.from(configured)];
  return provideRootKeys({ configured: copies, configuredFile: undefined, directory, storedFingerprints });
}

/** The sentence names what is wrong and none of the key; nothing in the directory changes. */
function expectRefused(storedFingerprints: readonly string[], sentence: string, configured?: Buffer): void {
  const before = filesIn(directory);
  let refusal: Error | undefined;
  try {
    provide(storedFingerprints, configured);
  } catch (error) {
    refusal = error as Error;
  }
  expect(refusal).toMatchObject({ name: 'OperatorError', kind: 'root-key' });
  expect(refusal?.message).toContain(sentence);
  for (const secret of [ONE, OTHER]) expect(refusal?.message).not.toContain(secret.toString('base64').slice(0, 10));
  expect(filesIn(directory)).toEqual(before);
}

function filesIn(path: string): Record<string, string> {
  return Object.fromEntries(readdirSync(path).map((name) => [name, readFileSync(join(path, name), 'base64')]));
}

describe('a configured root key', () => {
  test('is used, overwritten, and never written', () => {
    const configured = Buffer.from(ONE);
    const provided = provideRootKeys({
      configured: [configured],
      configuredFile: undefined,
      directory,
      storedFingerprints: [],
    });
    provided.keep();
    expect(provided.rootKeys.current.fingerprint).toBe(ONE_FINGERPRINT);
    expect(configured.equals(Buffer.alloc(32))).toBe(true);
    expect(readdirSync(directory)).toEqual([]);
  });

  test('goes before a key file', () => {
    write(keyPath, OTHER);
    expect(provide([ONE_FINGERPRINT], ONE).rootKeys.current.fingerprint).toBe(ONE_FINGERPRINT);
    expectRefused([ONE_FINGERPRINT], OTHER_FINGERPRINT, OTHER);
  });

  test('that the data was not sealed under is refused with both fingerprints', () => {
    expectRefused([ONE_FINGERPRINT], `SECRET_MANAGER_ROOT_KEY has the fingerprint ${OTHER_FINGERPRINT}`, OTHER);
    expectRefused([ONE_FINGERPRINT], `sealed under ${ONE_FINGERPRINT}`, OTHER);
  });
});

describe('a key file', () => {
  test('is used, with data and without, again and again', () => {
    write(keyPath, ONE);
    for (const stored of [[], [ONE_FINGERPRINT], []]) {
      const provided = provide(stored);
      provided.keep();
      expect(provided.rootKeys.current.fingerprint).toBe(ONE_FINGERPRINT);
    }
    expect(readdirSync(directory)).toEqual(['root.key']);
  });

  test('is used with spaces and line ends around its text', () => {
    writeFileSync(keyPath, `\n  ${ONE.toString('base64')}\r\n\n`, { mode: 0o600 });
    expect(provide([ONE_FINGERPRINT]).rootKeys.current.fingerprint).toBe(ONE_FINGERPRINT);
  });

  test('that the data was not sealed under is refused with both fingerprints', () => {
    write(keyPath, OTHER);
    expectRefused([ONE_FINGERPRINT], `${keyPath} has the fingerprint ${OTHER_FINGERPRINT}`);
    expectRefused([ONE_FINGERPRINT], `sealed under ${ONE_FINGERPRINT}`);
    expectRefused([ONE_FINGERPRINT, 'ffffffffffffffff'], `${ONE_FINGERPRINT} and ffffffffffffffff`);
  });

  test.each(['644', '640', '660', '604', '602', '601', '610', '777'])('of mode %s is refused', (mode) => {
    write(keyPath, ONE, Number.parseInt(mode, 8));
    expectRefused([ONE_FINGERPRINT], `run "chmod 600 ${keyPath}"`);
    expectRefused([], 'is open to other users');
  });

  test.each(['600', '400', '700'])('of mode %s is used', (mode) => {
    write(keyPath, ONE, Number.parseInt(mode, 8));
    expect(provide().rootKeys.current.fingerprint).toBe(ONE_FINGERPRINT);
  });

  test.each([
    ['nothing', ''],
    ['31 bytes', ONE.subarray(1).toString('base64')],
    ['33 bytes', Buffer.alloc(33, 1).toString('base64')],
    ['64 bytes', Buffer.alloc(64, 1).toString('base64')],
    ['hexadecimal', ONE.toString('hex')],
    ['base64url', Buffer.alloc(32, 0xff).toString('base64url')],
    ['base64 without its padding', ONE.toString('base64').replace('=', '')],
    ['a second key that is cut off', `${ONE.toString('base64')}\n${ONE.toString('base64').slice(1)}`],
    ['a character that is none of base64', `*${ONE.toString('base64').slice(1)}`],
    ['bytes as they are', '\u0001'.repeat(32)],
  ])('that holds %s is refused', (_, text) => {
    writeFileSync(keyPath, text, { mode: 0o600 });
    expectRefused([ONE_FINGERPRINT], 'is not 32 bytes in base64');
    expectRefused([], 'restore the original file');
  });

  test('that cannot be read, here a directory, is refused in one sentence', () => {
    mkdirSync(keyPath, { mode: 0o700 });
    expect(() => provide([ONE_FINGERPRINT])).toThrow(expect.objectContaining({ kind: 'root-key' }));
  });
});

describe('without any key', () => {
  test('one is refused where data exists, and none is made', () => {
    expectRefused([ONE_FINGERPRINT], `needs the root key ${ONE_FINGERPRINT}`);
    expectRefused([ONE_FINGERPRINT, OTHER_FINGERPRINT], `${ONE_FINGERPRINT} and ${OTHER_FINGERPRINT}`);
    expect(readdirSync(directory)).toEqual([]);
  });

  test('one is generated where no data exists: 32 random bytes for this user alone', () => {
    const umask = process.umask(0o000);
    const provided = provide();
    process.umask(umask);
    expect(readdirSync(directory)).toEqual(['root.key.pending']);
    expect(statSync(pendingPath).mode & 0o777).toBe(0o600);
    const bytes = Buffer.from(readFileSync(pendingPath, 'utf8'), 'base64');
    expect(bytes.length).toBe(32);
    expect(bytes.equals(Buffer.alloc(32))).toBe(false);
    expect(createRootKey(bytes).fingerprint).toBe(provided.rootKeys.current.fingerprint);
    expect(hasRootKeyFile(directory)).toBe(false);
  });

  test('the generated one gets its lasting name when it is kept, and is then the one that is used', () => {
    const provided = provide();
    provided.keep();
    expect(readdirSync(directory)).toEqual(['root.key']);
    expect(hasRootKeyFile(directory)).toBe(true);
    expect(provide([provided.rootKeys.current.fingerprint]).rootKeys.current.fingerprint).toBe(
      provided.rootKeys.current.fingerprint,
    );
  });

  test('each generated one is another', () => {
    const first = provide().rootKeys.current.fingerprint;
    expect(provide().rootKeys.current.fingerprint).not.toBe(first);
    expect(readdirSync(directory)).toEqual(['root.key.pending']);
  });
});

describe('a key that waits for its lasting name', () => {
  test('gets it when the data was sealed under it', () => {
    write(pendingPath, ONE);
    expect(provide([ONE_FINGERPRINT]).rootKeys.current.fingerprint).toBe(ONE_FINGERPRINT);
    expect(existsSync(keyPath)).toBe(true);
    expect(existsSync(pendingPath)).toBe(false);
  });

  test('is replaced where no data exists: nothing was sealed under it', () => {
    write(pendingPath, ONE, 0o644);
    const provided = provide();
    expect(provided.rootKeys.current.fingerprint).not.toBe(ONE_FINGERPRINT);
    expect(statSync(pendingPath).mode & 0o777).toBe(0o600);
  });

  test('is refused and kept when the data was sealed under another', () => {
    write(pendingPath, OTHER);
    expectRefused([ONE_FINGERPRINT], `${pendingPath} has the fingerprint ${OTHER_FINGERPRINT}`);
  });

  test('does not stand in for a key file that is there', () => {
    write(keyPath, OTHER);
    write(pendingPath, ONE);
    expectRefused([ONE_FINGERPRINT], `${keyPath} has the fingerprint ${OTHER_FINGERPRINT}`);
  });
});
