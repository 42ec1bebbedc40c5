// The part of the storage that changes keys under what they hold. Each method is one short atomic step, so that a
// server beside it goes on, and a rotation that was killed is gone on with. What changes neither a key nor who may what
// has no audit event of its own: it belongs to the one of the rotation.

import type { AuditEvent } from '../domain/audit-events.ts';
import type { SealedTemplate, StoredInstance } from '../domain/instances.ts';
import type { SealedSecretValue, SealedValue } from '../domain/secrets.ts';
import type { SystemKeyPurpose, WrappedKey } from './storage.ts';

export interface StoredRootKey {
  readonly fingerprint: string;
  /** When it was first used or announced here. */
  readonly createdAt: string;
  /** True when the server that runs, or ran last, has it. */
  readonly isAtHand: boolean;
  /** How often it has wrapped a key, ever. */
  readonly wraps: number;
  /** How many keys it wraps now. */
  readonly wrappedKeys: number;
}

export interface StoredDataKey {
  readonly accountId: number;
  readonly version: number;
  readonly isCurrent: boolean;
  readonly rootKeyFingerprint: string;
  readonly createdAt: string;
  /** How often it has sealed, ever. */
  readonly seals: number;
  /** What is under it now. */
  readonly values: number;
  readonly instances: number;
}

/** A wrapped key with what it is for. */
export type StoredWrappedKey = WrappedKey &
  (
    | { readonly purpose: SystemKeyPurpose }
    | { readonly purpose: 'data'; readonly accountId: number; readonly version: number }
  );

export interface ResealStep {
  readonly accountId: number;
  /** Versions of the account's data key. */
  readonly from: number;
  readonly to: number;
  /** The last id of the step before; 0 at the start. */
  readonly afterId: number;
}

/** Everything that a template is bound to, and the template. */
export type StoredTemplate = Pick<
  StoredInstance,
  'id' | 'accountId' | 'dataKeyVersion' | 'instanceId' | 'hostname' | 'expiresInSeconds' | 'sourceCidr'
> & { readonly sealedTemplate: SealedTemplate };

/** What one step of resealing did. */
export interface ResealedBatch {
  readonly resealed: number;
  /** Those that do not open; they stay as they are. */
  readonly broken: number;
  /** Where the next step begins; undefined when there was nothing to do. */
  readonly lastId: number | undefined;
}

export interface KeyRotationRepository {
  /** Oldest first. */
  listRootKeys(): Promise<StoredRootKey[]>;
  /** Those that the server hasn't, as far as the storage knows. */
  listRootKeysNotAtHand(): Promise<string[]>;
  /**
   * Notes which root keys the server has; the first is registered when it is new. Resolves with those that still wrap
   * something and are not among them: then nothing was noted.
   */
  holdRootKeys(fingerprints: readonly string[], at: string): Promise<string[]>;
  /** Makes a root key known, so that a running server looks for it. One that is known stays as it is. */
  registerRootKey(fingerprint: string, at: string): Promise<void>;
  /**
   * Wraps up to `maxKeys` keys that are under another root key again, under this one, and resolves with how many they
   * were; without any, nothing happens and no event is written. `undefined`, and nothing happened, when the server
   * hasn't that root key. Throws OperatorError (`refused`) when it has wrapped as often as it may.
   */
  rewrap(
    fingerprint: string,
    maxKeys: number,
    wrapAgain: (key: StoredWrappedKey) => Uint8Array,
    event: AuditEvent,
  ): Promise<number | undefined>;
  /** Forgets a root key that wraps nothing. */
  dropRootKey(fingerprint: string, event: AuditEvent): Promise<'dropped' | 'unknown' | 'in use'>;

  /** Ordered by account and version; of one account, or of all. */
  listDataKeys(accountId: number | undefined): Promise<StoredDataKey[]>;
  /**
   * Makes a new data key the current one, unless `supersededVersion` isn't it any more. False when the account is gone.
   * Throws OperatorError (`refused`) when the root key may not wrap.
   */
  addDataKey(
    accountId: number,
    supersededVersion: number,
    wrapDataKey: (version: number) => WrappedKey,
    event: AuditEvent,
  ): Promise<boolean>;
  /**
   * Seals again some of the values that are under the old version, in the order of their ids. Versions and times of
   * values stay. `reseal` gives undefined for one that doesn't open.
   * Throws StaleDataKeyError when the new version isn't the account's current one, or has sealed as often as it may.
   */
  resealValues(step: ResealStep, reseal: (value: SealedSecretValue) => SealedValue | undefined): Promise<ResealedBatch>;
  /** The same for the templates of instances; a deleted one has none, and only its version is changed. */
  resealTemplates(
    step: ResealStep,
    reseal: (template: StoredTemplate) => SealedTemplate | undefined,
  ): Promise<ResealedBatch>;
  /** Resolves with the versions that are gone: older than the current one, and nothing under them. */
  deleteUnusedDataKeys(accountId: number): Promise<number[]>;
}
