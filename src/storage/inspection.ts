// A view of a store for those who check it: every sealed row with the key that it needs, of all accounts. Changes
// nothing, and holds nothing up: each page is a read of its own, so rows that change meanwhile are in it or not.

import type { StoredApiKey } from '../domain/accounts.ts';
import type { SealedTemplate } from '../domain/instances.ts';
import type { SealedValue } from '../domain/secrets.ts';
import type { AuditReader, SystemKeyPurpose, WrappedKey } from './storage.ts';

export interface InspectedSystemKey extends WrappedKey {
  readonly purpose: SystemKeyPurpose;
}

export interface InspectedDataKey extends WrappedKey {
  readonly accountId: number;
  readonly version: number;
}

/** A sealed row and its data key as it was wrapped at the same moment. */
interface Sealed extends WrappedKey {
  readonly id: number;
  readonly accountId: number;
  readonly dataKeyVersion: number;
}

export interface InspectedValue extends Sealed {
  readonly secretListId: number;
  readonly secretKey: string;
  readonly version: number;
  readonly sealedValue: SealedValue;
}

export interface InspectedInstance extends Sealed {
  readonly instanceId: string;
  readonly hostname: string;
  readonly expiresInSeconds: number | null;
  readonly sourceCidr: string | null;
  readonly sealedTemplate: SealedTemplate;
}

/** In pages, ordered by id. Throws OperatorError (`storage`) when the store can't be read. */
export interface StoreInspection {
  /** The root keys that something here is wrapped with. */
  listRootKeyFingerprints(): Promise<string[]>;
  listSystemKeys(): Promise<InspectedSystemKey[]>;
  dataKeys(): AsyncIterable<readonly InspectedDataKey[]>;
  values(): AsyncIterable<readonly InspectedValue[]>;
  /** Without deleted ones, which have nothing to open. */
  instances(): AsyncIterable<readonly InspectedInstance[]>;
  apiKeys(): AsyncIterable<readonly StoredApiKey[]>;
  readonly audit: AuditReader;
  close(): void;
}
