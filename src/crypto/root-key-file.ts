// root.key in the data directory. It is replaced as a whole, under a name of its own first: whenever a process is
// killed, the file has either its old keys or its new ones.

import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { OperatorError } from '../domain/errors.ts';
import { giveToOwnerOf, renameDurably, writePrivateFile } from '../files/durable-files.ts';
import { createRootKey, KEY_BYTES, type RootKey } from './root-key.ts';
import { parseRootKeys, splitRootKeys } from './root-key-text.ts';

const MODE_OF_OTHERS = 0o077;

export type SomeRootKeys = readonly [RootKey, ...RootKey[]];

/** Reads one's own key file; other users must have no part in it. */
export function readKeyFile(path: string): SomeRootKeys {
  const othersMay = statSync(path).mode & MODE_OF_OTHERS;
  if (othersMay !== 0) {
    throw new OperatorError(
      'root-key',
      `The root key ${path} is open to other users; run "chmod 600 ${path}", or mount the key elsewhere and name it in SECRET_MANAGER_ROOT_KEY_FILE.`,
    );
  }
  return readForeignKeyFile(path);
}

/** Reads a key file that somebody else mounts here, with a mode of his own. */
export function readForeignKeyFile(path: string): SomeRootKeys {
  const parsed = parseRootKeys(readText(path));
  if ('fault' in parsed) {
    throw new OperatorError('root-key', `The root key ${path} ${parsed.fault}; restore the original file.`);
  }
  const [first, ...others] = parsed.keys;
  return [createRootKey(first), ...others.map(createRootKey)];
}

/** Makes a file with one new key, in place of what was there. */
export function generateKeyFile(path: string): SomeRootKeys {
  const bytes = randomBytes(KEY_BYTES);
  write(path, [bytes.toString('base64')]);
  return [createRootKey(bytes)];
}

/** Makes a new key and puts it before those that are there. */
export function addToKeyFile(path: string): void {
  replace(path, [randomBytes(KEY_BYTES).toString('base64'), ...splitRootKeys(readText(path))]);
}

/** Takes a key out. False, and the file is as it was, when it isn't there. */
export function removeFromKeyFile(path: string, fingerprint: string): boolean {
  const parts = splitRootKeys(readText(path));
  const kept = parts.filter((part) => createRootKey(Buffer.from(part, 'base64')).fingerprint !== fingerprint);
  if (kept.length === parts.length) return false;
  replace(path, kept);
  return true;
}

function replace(path: string, parts: readonly string[]): void {
  const unfinished = `${path}.new`;
  write(unfinished, parts);
  giveToOwnerOf(path, unfinished);
  renameDurably(unfinished, path);
}

function write(path: string, parts: readonly string[]): void {
  try {
    writePrivateFile(path, `${parts.join('\n')}\n`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new OperatorError(
      'storage',
      `The root key ${path} cannot be written (${code}); make room, or check the mount.`,
    );
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new OperatorError(
      'root-key',
      `The root key ${path} cannot be read (${code}); check what it is and its owner.`,
    );
  }
}
