// Root keys: use cases of the command line. A rotation rewraps everything under the first key in small steps, beside a
// running server or without one; killed at any point, the next one goes on with it.

import { SealBrokenError } from '../crypto/envelope.ts';
import type { KeyPurpose } from '../crypto/root-key.ts';
import type { RootKeyFile } from '../crypto/root-key-providers.ts';
import type { RootKeys } from '../crypto/root-keys.ts';
import { OperatorError } from '../domain/errors.ts';
import type { KeyRotationRepository, StoredWrappedKey } from '../storage/key-rotation.ts';
import { inSteps } from './batches.ts';
import { commandLineEvent } from './caller.ts';
import { unwrapKey } from './keyring.ts';

export type RootKeyRole = 'current' | 'old' | 'not at hand';

export interface RootKeyStatus {
  readonly fingerprint: string;
  readonly role: RootKeyRole;
  /** True when the server that runs, or ran last, has it. */
  readonly isAtHandOfServer: boolean;
  readonly wrappedKeys: number;
  /** null for one that the store doesn't know. */
  readonly since: string | null;
}

export interface RootKeyRotation {
  /** What everything is wrapped by now. */
  readonly fingerprint: string;
  readonly isNew: boolean;
  readonly rewrapped: number;
  /** Other root keys that are still known. */
  readonly old: readonly string[];
}

export interface RootKeysService {
  /** Throws OperatorError (`root-key`, `refused`, `storage`); run again, it goes on where it was. */
  rotate(): Promise<RootKeyRotation>;
  /** Throws OperatorError (`refused`) while the key still wraps something, or is the first one. */
  drop(fingerprint: string): Promise<void>;
}

const KEYS_PER_STEP = 100;

export interface RootKeysDependencies {
  readonly rotation: KeyRotationRepository;
  readonly rootKeys: RootKeys;
  /** Where a new key can be put; undefined when the operator provides them. */
  readonly file: RootKeyFile | undefined;
  /** Resolves when whoever serves the store has the key. Throws OperatorError (`refused`) when that doesn't happen. */
  readonly ensureAtHand: (fingerprint: string) => Promise<void>;
  /** Does it while no other process changes keys. Throws OperatorError (`refused`) when one does. */
  readonly alone: <T>(work: () => Promise<T>) => Promise<T>;
}

/** What there is to say of each root key, whether it is at hand (current one first) or in the store. */
export async function listRootKeys(
  rotation: KeyRotationRepository,
  fingerprints: readonly string[],
): Promise<RootKeyStatus[]> {
  const stored = await rotation.listRootKeys();
  const unknown = fingerprints.filter((each) => !stored.some(({ fingerprint }) => fingerprint === each));
  const roleOf = (fingerprint: string): RootKeyRole => {
    const position = fingerprints.indexOf(fingerprint);
    if (position === 0) return 'current';
    return position > 0 ? 'old' : 'not at hand';
  };
  return [
    ...stored.map(({ fingerprint, isAtHand, wrappedKeys, createdAt }) => ({
      fingerprint,
      role: roleOf(fingerprint),
      isAtHandOfServer: isAtHand,
      wrappedKeys,
      since: createdAt,
    })),
    ...unknown.map((fingerprint) => ({
      fingerprint,
      role: roleOf(fingerprint),
      isAtHandOfServer: false,
      wrappedKeys: 0,
      since: null,
    })),
  ];
}

export function createRootKeysService(deps: RootKeysDependencies): RootKeysService {
  const { rotation, rootKeys, file, ensureAtHand, alone } = deps;

  function wrapAgain(stored: StoredWrappedKey): Buffer {
    const purpose: KeyPurpose =
      stored.purpose === 'data'
        ? { kind: 'data', accountId: stored.accountId, version: stored.version }
        : { kind: stored.purpose };
    return rootKeys.current.wrap(unwrapKey(rootKeys, stored, purpose), purpose);
  }

  /** Makes a new root key unless there is a rotation to go on with, or an old key that was not dropped yet. */
  async function makeKeyIfDue(): Promise<boolean> {
    const { fingerprint: current } = rootKeys.current;
    const stored = await rotation.listRootKeys();
    const isAllDone = stored.every(({ fingerprint }) => fingerprint === current);
    if (file === undefined || !isAllDone) return false;
    file.add();
    rootKeys.readAgain();
    return true;
  }

  async function rewrapAll(fingerprint: string): Promise<number> {
    const event = () => commandLineEvent('root-key.rotate', null);
    let rewrapped = 0;
    await ensureAtHand(fingerprint);
    await inSteps(async () => {
      const keys = await rotation.rewrap(fingerprint, KEYS_PER_STEP, wrapAgain, event());
      // A server was started meanwhile.
      if (keys === undefined) await ensureAtHand(fingerprint);
      rewrapped += keys ?? 0;
      return keys !== 0;
    });
    return rewrapped;
  }

  return {
    rotate: () =>
      alone(async () => {
        rootKeys.readAgain();
        const isNew = await makeKeyIfDue();
        const { fingerprint } = rootKeys.current;
        try {
          const rewrapped = await rewrapAll(fingerprint);
          const known = (await rotation.listRootKeys()).map((key) => key.fingerprint);
          return { fingerprint, isNew, rewrapped, old: known.filter((each) => each !== fingerprint) };
        } catch (error) {
          if (!(error instanceof SealBrokenError)) throw error;
          throw new OperatorError(
            'storage',
            'A key in the database does not open, though its root key is at hand: the database was changed or damaged; restore it from a backup.',
          );
        }
      }),

    drop: (fingerprint) =>
      alone(async () => {
        rootKeys.readAgain();
        if (rootKeys.current.fingerprint === fingerprint) {
          throw new OperatorError(
            'refused',
            `The root key ${fingerprint} is the current one; run "root-key rotate" before it is dropped.`,
          );
        }
        const outcome = await rotation.dropRootKey(fingerprint, commandLineEvent('root-key.drop', null));
        if (outcome === 'in use') {
          throw new OperatorError(
            'refused',
            `The root key ${fingerprint} still wraps keys; run "root-key rotate" until it wraps none.`,
          );
        }
        // The store forgets it first: nothing can be wrapped by a key that is gone.
        const wasInFile = file?.remove(fingerprint) === true;
        if (outcome === 'unknown' && !wasInFile) {
          throw new OperatorError(
            'refused',
            `There is no root key ${fingerprint} here; "root-key status" shows those there are.`,
          );
        }
      }),
  };
}
