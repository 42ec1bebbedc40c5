// Seals a secret value under its account's data key, bound to the record it belongs to.

import type { KeyObject } from 'node:crypto';
import type { PlainValue, SealedValue } from '../domain/secrets.ts';
import { encodeFields } from './associated-data.ts';
import { open, seal } from './envelope.ts';

const VALUE_DOMAIN = 'secret-manager/value/v1';

/** Everything a sealed value is bound to: a blob that is moved to another place in the database doesn't open there. */
export interface ValueIdentity {
  readonly accountId: number;
  readonly dataKeyVersion: number;
  readonly secretListId: number;
  readonly id: number;
  readonly secretKey: string;
  readonly version: number;
}

export function sealValue(dataKey: KeyObject, value: PlainValue, identity: ValueIdentity): SealedValue {
  return seal(dataKey, Buffer.from(value), identityFields(identity)) as Uint8Array as SealedValue;
}

/** Throws SealBrokenError when the blob isn't what was sealed for this identity. */
export function openValue(dataKey: KeyObject, sealed: SealedValue, identity: ValueIdentity): PlainValue {
  return open(dataKey, sealed, identityFields(identity)).toString('utf8') as PlainValue;
}

function identityFields(identity: ValueIdentity): Buffer {
  const { accountId, dataKeyVersion, secretListId, id, secretKey, version } = identity;
  return encodeFields([VALUE_DOMAIN, accountId, dataKeyVersion, secretListId, id, secretKey, version]);
}
