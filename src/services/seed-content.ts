// What is sealed of an instance, and opened again where its seed is shown or served.

import { openTemplate } from '../crypto/template-seal.ts';
import { ApiError } from '../domain/errors.ts';
import type { InstanceTemplate, StoredInstance } from '../domain/instances.ts';
import type { Keyring } from './keyring.ts';

/** The template, and the token, so that the seed's URL can be shown again. */
export interface SeedContent extends InstanceTemplate {
  readonly token: string;
}

/** Throws SealBrokenError when the template doesn't open; a deleted instance has none. */
export async function openSeedContent(keyring: Keyring, instance: StoredInstance): Promise<SeedContent> {
  const { accountId, dataKeyVersion, sealedTemplate } = instance;
  if (sealedTemplate === null) throw new ApiError('instance_not_found');
  const dataKeys = await keyring.dataKeys(accountId);
  return openTemplate(dataKeys.get(dataKeyVersion), sealedTemplate, instance) as SeedContent;
}
