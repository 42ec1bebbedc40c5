// What is sealed of an instance, and opened again where its seed is shown or served.

import { openTemplate } from '../crypto/template-seal.ts';
import { ApiError } from '../domain/errors.ts';
import type { InstanceTemplate, StoredInstance } from '../domain/instances.ts';
import type { InstancesRepository } from '../storage/storage.ts';
import type { Keyring } from './keyring.ts';

/** The template, and the token, so that the seed's URL can be shown again. */
export interface SeedContent extends InstanceTemplate {
  readonly token: string;
}

/** Throws SealBrokenError when the template doesn't open; a deleted instance has none. */
export function openSeedContent(
  keyring: Keyring,
  instances: InstancesRepository,
  instance: StoredInstance,
): Promise<SeedContent> {
  const { accountId, id } = instance;
  let known: StoredInstance | undefined = instance;
  return keyring.withDataKeys(accountId, async (dataKeys) => {
    const { dataKeyVersion, sealedTemplate, ...current } = known ?? (await getAgain(instances, accountId, id));
    known = undefined;
    if (sealedTemplate === null) throw new ApiError('instance_not_found');
    const identity = { ...current, dataKeyVersion };
    return openTemplate(dataKeys.get(dataKeyVersion), sealedTemplate, identity) as SeedContent;
  });
}

async function getAgain(instances: InstancesRepository, accountId: number, id: number): Promise<StoredInstance> {
  const found = await instances.find(accountId, { id });
  if (found === undefined) throw new ApiError('instance_not_found');
  return found;
}
