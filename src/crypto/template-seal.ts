// Seals what a seed is made from, and its token, under the account's data key, bound to the instance it belongs to.

import type { KeyObject } from 'node:crypto';
import type { SealedTemplate } from '../domain/instances.ts';
import { encodeFields } from './associated-data.ts';
import { open, seal } from './envelope.ts';

const TEMPLATE_DOMAIN = 'secret-manager/instance-template/v1';

/** Everything a sealed template is bound to. */
export interface TemplateIdentity {
  readonly accountId: number;
  readonly dataKeyVersion: number;
  readonly id: number;
  readonly instanceId: string;
  readonly hostname: string;
  readonly expiresInSeconds: number | null;
  readonly sourceCidr: string | null;
}

export function sealTemplate(dataKey: KeyObject, template: unknown, identity: TemplateIdentity): SealedTemplate {
  const plain = Buffer.from(JSON.stringify(template));
  return seal(dataKey, plain, identityFields(identity)) as Uint8Array as SealedTemplate;
}

/** The template as it was sealed. Throws SealBrokenError when the blob isn't what was sealed for this instance. */
export function openTemplate(dataKey: KeyObject, sealed: SealedTemplate, identity: TemplateIdentity): unknown {
  return JSON.parse(open(dataKey, sealed, identityFields(identity)).toString('utf8'));
}

function identityFields(identity: TemplateIdentity): Buffer {
  const { accountId, dataKeyVersion, id, instanceId, hostname, expiresInSeconds, sourceCidr } = identity;
  return encodeFields([
    TEMPLATE_DOMAIN,
    accountId,
    dataKeyVersion,
    id,
    instanceId,
    hostname,
    expiresInSeconds,
    sourceCidr,
  ]);
}
