// Where the root keys come from: the configuration (environment or mounted file), or root.key in the data directory,
// generated once. Never generates one where data exists, unless a rotation asks for it.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../domain/errors.ts';
import { renameDurably } from '../files/durable-files.ts';
import { createRootKey } from './root-key.ts';
import {
  addToKeyFile,
  generateKeyFile,
  readForeignKeyFile,
  readKeyFile,
  removeFromKeyFile,
  type SomeRootKeys,
} from './root-key-file.ts';
import { createRootKeys, type RootKeys } from './root-keys.ts';

const KEY_FILE = 'root.key';
/** A generated key is called so until the store holds something that it wraps. */
const PENDING_FILE = 'root.key.pending';

export interface ProvidedRootKeys {
  readonly rootKeys: RootKeys;
  /** The data directory's file; undefined when the keys come from the configuration. */
  readonly file: RootKeyFile | undefined;
  /** To be called once the store is initialised with it: a generated key then gets its lasting name. */
  keep(): void;
}

export interface RootKeyFile {
  /** Makes a new key and puts it first, on the disk. */
  add(): void;
  /** False when the key isn't in it. */
  remove(fingerprint: string): boolean;
}

export interface RootKeySource {
  /** Keys of 32 bytes from the configuration; overwritten. */
  readonly configured: readonly Buffer[] | undefined;
  /** Where the configuration read them, if from a file. */
  readonly configuredFile: string | undefined;
  readonly directory: string;
}

export interface RootKeyRequest extends RootKeySource {
  /** The root keys that the store's data needs; empty when it holds nothing yet. */
  readonly storedFingerprints: readonly string[];
}

export function hasRootKeyFile(directory: string): boolean {
  return existsSync(join(directory, KEY_FILE));
}

/** Throws OperatorError (`root-key`) with one sentence unless every key that the stored data needs is there. */
export function provideRootKeys(request: RootKeyRequest): ProvidedRootKeys {
  const { directory, storedFingerprints } = request;
  const keyPath = join(directory, KEY_FILE);
  const pendingPath = join(directory, PENDING_FILE);
  const found = findRootKeys(request);
  if (found !== undefined) {
    refuseMissing(found.rootKeys, found.what, storedFingerprints);
    return found;
  }
  if (storedFingerprints.length === 0) {
    const rootKeys = createRootKeys(generateKeyFile(pendingPath), () => readKeyFile(keyPath));
    return { rootKeys, file: fileAt(keyPath), keep: () => renameDurably(pendingPath, keyPath) };
  }
  if (existsSync(pendingPath)) {
    const rootKeys = createRootKeys(readKeyFile(pendingPath), () => readKeyFile(keyPath));
    refuseMissing(rootKeys, `The root key ${pendingPath}`, storedFingerprints);
    renameDurably(pendingPath, keyPath);
    return { rootKeys, file: fileAt(keyPath), keep: () => undefined };
  }
  throw new OperatorError(
    'root-key',
    `The data needs the root key ${storedFingerprints.join(' and ')}, but ${keyPath} is missing and SECRET_MANAGER_ROOT_KEY is unset; put the root key back.`,
  );
}

/** The keys that are there, whatever the data needs; undefined without any. Makes none. */
export function findRootKeys(source: RootKeySource): (ProvidedRootKeys & { readonly what: string }) | undefined {
  const { configured, configuredFile, directory } = source;
  const keep = () => undefined;
  if (configured !== undefined) {
    const read = () => (configuredFile === undefined ? undefined : readForeignKeyFile(configuredFile));
    const rootKeys = createRootKeys(configured.map(createRootKey) as unknown as SomeRootKeys, read);
    return { rootKeys, file: undefined, keep, what: 'The root key in SECRET_MANAGER_ROOT_KEY' };
  }
  const path = join(directory, KEY_FILE);
  if (!existsSync(path)) return undefined;
  const rootKeys = createRootKeys(readKeyFile(path), () => readKeyFile(path));
  return { rootKeys, file: fileAt(path), keep, what: `The root key ${path}` };
}

function fileAt(path: string): RootKeyFile {
  return {
    add: () => addToKeyFile(path),
    remove: (fingerprint) => removeFromKeyFile(path, fingerprint),
  };
}

function refuseMissing(rootKeys: RootKeys, what: string, storedFingerprints: readonly string[]): void {
  const missing = storedFingerprints.filter((fingerprint) => rootKeys.find(fingerprint) === undefined);
  if (missing.length === 0) return;
  const have = rootKeys.all.map(({ fingerprint }) => fingerprint).join(' and ');
  const advice =
    missing.length === storedFingerprints.length
      ? `but the data was sealed under ${missing.join(' and ')}; use that root key.`
      : `but the data still needs ${missing.join(' and ')} too; put that root key behind the first one.`;
  throw new OperatorError('root-key', `${what} has the fingerprint ${have}, ${advice}`);
}
