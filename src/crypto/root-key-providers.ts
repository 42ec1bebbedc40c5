// Where the root key comes from: the configuration (environment or mounted file), or root.key in the data directory,
// generated once. Never generates one where data exists.

import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../domain/errors.ts';
import { renameDurably, writePrivateFile } from '../files/durable-files.ts';
import { createRootKey, KEY_BYTES, type RootKey } from './root-key.ts';

const KEY_FILE = 'root.key';
/** A generated key is called so until the store holds something that it wraps. */
const PENDING_FILE = 'root.key.pending';
const BASE64_OF_32_BYTES = /^[A-Za-z0-9+/]{43}=$/;
const MODE_OF_OTHERS = 0o077;

export interface ProvidedRootKey {
  readonly rootKey: RootKey;
  /** To be called once the store is initialised with it: a generated key then gets its lasting name. */
  keep(): void;
}

export interface RootKeyRequest {
  /** 32 bytes from the configuration; overwritten. */
  readonly configured: Buffer | undefined;
  readonly directory: string;
  /** The root keys that the store's data needs; empty when it holds nothing yet. */
  readonly storedFingerprints: readonly string[];
}

export function hasRootKeyFile(directory: string): boolean {
  return existsSync(join(directory, KEY_FILE));
}

/** Throws OperatorError (`root-key`) with one sentence when there is no key that opens the stored data. */
export function provideRootKey(request: RootKeyRequest): ProvidedRootKey {
  const { configured, directory, storedFingerprints } = request;
  const keyPath = join(directory, KEY_FILE);
  const pendingPath = join(directory, PENDING_FILE);
  const isStoreEmpty = storedFingerprints.length === 0;

  if (configured !== undefined) {
    return accept(createRootKey(configured), 'The root key in SECRET_MANAGER_ROOT_KEY', storedFingerprints);
  }
  if (existsSync(keyPath)) return accept(readKeyFile(keyPath), `The root key ${keyPath}`, storedFingerprints);
  if (isStoreEmpty) {
    const rootKey = generateKeyFile(pendingPath);
    return { rootKey, keep: () => renameDurably(pendingPath, keyPath) };
  }
  if (existsSync(pendingPath)) {
    const provided = accept(readKeyFile(pendingPath), `The root key ${pendingPath}`, storedFingerprints);
    renameDurably(pendingPath, keyPath);
    return provided;
  }
  throw new OperatorError(
    'root-key',
    `The data needs the root key ${storedFingerprints.join(' or ')}, but ${keyPath} is missing and SECRET_MANAGER_ROOT_KEY is unset; put the root key back.`,
  );
}

function accept(rootKey: RootKey, what: string, storedFingerprints: readonly string[]): ProvidedRootKey {
  if (storedFingerprints.length > 0 && !storedFingerprints.includes(rootKey.fingerprint)) {
    throw new OperatorError(
      'root-key',
      `${what} has the fingerprint ${rootKey.fingerprint}, but the data was sealed under ${storedFingerprints.join(' or ')}; use that root key.`,
    );
  }
  return { rootKey, keep: () => undefined };
}

function readKeyFile(path: string): RootKey {
  const othersMay = statSync(path).mode & MODE_OF_OTHERS;
  if (othersMay !== 0) {
    throw new OperatorError(
      'root-key',
      `The root key ${path} is open to other users; run "chmod 600 ${path}", or mount the key elsewhere and name it in SECRET_MANAGER_ROOT_KEY_FILE.`,
    );
  }
  const text = readText(path);
  if (!BASE64_OF_32_BYTES.test(text)) {
    throw new OperatorError('root-key', `The root key ${path} is not 32 bytes in base64; restore the original file.`);
  }
  return createRootKey(Buffer.from(text, 'base64'));
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

function generateKeyFile(path: string): RootKey {
  const bytes = randomBytes(KEY_BYTES);
  try {
    writePrivateFile(path, `${bytes.toString('base64')}\n`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new OperatorError(
      'storage',
      `The root key ${path} cannot be written (${code}); make room, or check the mount.`,
    );
  }
  return createRootKey(bytes);
}
