// Instances: use cases of those who build machines. The seeds themselves are in seeds-service.

import { isIP } from 'node:net';
import type { DocumentKind } from '../cloud-init/document-kinds.ts';
import { NETWORK_CONFIG_KIND } from '../cloud-init/seed-files.ts';
import type { ApiKeyProof } from '../crypto/api-key-proof.ts';
import { generateToken, SEED_TOKEN_PREFIX } from '../crypto/api-key-token.ts';
import { openTemplate, sealTemplate } from '../crypto/template-seal.ts';
import { ApiError, type FieldProblems, invalidFields } from '../domain/errors.ts';
import type { DeliveredSecret, Instance, InstanceTemplate, SecretHolder, StoredInstance } from '../domain/instances.ts';
import { checkListName } from '../domain/names.ts';
import { parseReference, type Reference } from '../domain/references.ts';
import type { InstancesRepository } from '../storage/storage.ts';
import { type Caller, callerEvent } from './caller.ts';
import type { Keyring } from './keyring.ts';
import type { RenderingService } from './rendering-service.ts';
import { refuseTaken } from './taken-names.ts';
import { describeProblem } from './user-data-service.ts';
import type { ValuesService } from './values-service.ts';

export interface NewInstanceRequest {
  readonly instanceId: string;
  readonly hostname: string;
  readonly template: InstanceTemplate;
  readonly expiresInSeconds: number | null;
  readonly sourceCidr: string | null;
}

/** What is sealed: the template, and the token, so that the seed's URL can be shown again. */
export interface SeedContent extends InstanceTemplate {
  readonly token: string;
}

export interface InstanceWithToken {
  readonly instance: Instance;
  readonly token: string;
}

export interface InstanceDetails extends InstanceWithToken {
  readonly delivered: readonly DeliveredSecret[];
}

export interface InstancesService {
  list(caller: Caller): Promise<Instance[]>;
  /** Throws `instance_not_found`. */
  get(caller: Caller, instance: Reference): Promise<InstanceDetails>;
  /** Throws `invalid_fields`, with everything that is wrong with the documents; a key may still be missing. */
  create(caller: Caller, request: NewInstanceRequest): Promise<InstanceWithToken>;
  /** Throws `instance_not_found`. */
  reopen(caller: Caller, instance: Reference): Promise<InstanceWithToken>;
  /** Throws `instance_not_found`. */
  delete(caller: Caller, instance: Reference): Promise<void>;
  /** Which instances hold a value, and in which version. Throws `value_not_found`. */
  listHolders(
    caller: Caller,
    list: Reference,
    value: Reference,
  ): Promise<readonly (SecretHolder & { isCurrent: boolean })[]>;
}

/** A year. */
const MAX_EXPIRY_SECONDS = 31_536_000;
const TAKEN = 'An instance of this id exists already in the account; delete it or choose another id.';

export interface InstancesDependencies {
  readonly instances: InstancesRepository;
  readonly values: ValuesService;
  readonly keyring: Keyring;
  readonly proof: ApiKeyProof;
  readonly rendering: RenderingService;
}

export function createInstancesService(deps: InstancesDependencies): InstancesService {
  const { instances, values, keyring, proof, rendering } = deps;

  async function withToken(instance: StoredInstance): Promise<InstanceWithToken> {
    return { instance, token: (await openSeedContent(keyring, instance)).token };
  }

  async function find(caller: Caller, instance: Reference): Promise<StoredInstance> {
    const found = await instances.find(caller.accountId, instance);
    if (found === undefined) throw new ApiError('instance_not_found');
    return found;
  }

  async function checkDocument(
    accountId: number,
    field: string,
    text: string,
    problems: FieldProblems,
    knownKind?: DocumentKind,
  ) {
    if (!text.isWellFormed()) {
      problems[field] = ['The text has half of a surrogate pair in it; send well-formed Unicode.'];
      return;
    }
    const { problems: found } = await rendering.check(accountId, Buffer.from(text), undefined, knownKind);
    if (found.length > 0) problems[field] = found.map(describeProblem);
  }

  return {
    list: (caller) => instances.list(caller.accountId),

    async get(caller, instance) {
      const found = await find(caller, instance);
      return { ...(await withToken(found)), delivered: await instances.listDelivered(found.id) };
    },

    async create(caller, request) {
      const { accountId } = caller;
      const { template, expiresInSeconds, sourceCidr } = request;
      const problems: FieldProblems = {};
      const instanceId = acceptName(request.instanceId, 'instance_id', problems);
      if ('id' in parseReference(instanceId)) {
        problems['instance_id'] = ['An instance_id of digits alone would be taken for an id; add a letter.'];
      }
      const hostname = acceptHostname(request.hostname, problems);
      if (expiresInSeconds !== null && !(expiresInSeconds >= 1 && expiresInSeconds <= MAX_EXPIRY_SECONDS)) {
        problems['expires_in'] = [`Give a whole number of seconds from 1 to ${MAX_EXPIRY_SECONDS}.`];
      }
      if (sourceCidr !== null && parseCidr(sourceCidr) === undefined) {
        problems['source_cidr'] = ['Give an address, or a network like 192.0.2.0/24 or 2001:db8::/32.'];
      }
      await checkDocument(accountId, 'user_data', template.userData, problems);
      await checkDocument(accountId, 'vendor_data', template.vendorData, problems);
      await checkDocument(accountId, 'network_config', template.networkConfig, problems, NETWORK_CONFIG_KIND);
      if (Object.keys(problems).length > 0) throw invalidFields(problems);

      const token = generateToken(SEED_TOKEN_PREFIX);
      const content: SeedContent = { ...template, token };
      const dataKeys = await keyring.dataKeys(accountId);
      const dataKeyVersion = dataKeys.currentVersion;
      const seal = (id: number) => ({
        sealedTemplate: sealTemplate(dataKeys.get(dataKeyVersion), content, {
          accountId,
          dataKeyVersion,
          id,
          instanceId,
          hostname,
          expiresInSeconds,
          sourceCidr,
        }),
        dataKeyVersion,
      });
      const row = { accountId, instanceId, hostname, expiresInSeconds, sourceCidr, tokenHash: proof.hashToken(token) };
      const created = instances.create(row, seal, callerEvent(caller, 'instance.create'));
      const instance = await refuseTaken(created, 'instance_id', TAKEN);
      return { instance, token };
    },

    async reopen(caller, instance) {
      const reopened = await instances.reopen(caller.accountId, instance, callerEvent(caller, 'instance.reopen'));
      if (reopened === undefined) throw new ApiError('instance_not_found');
      return withToken(await find(caller, { id: reopened.id }));
    },

    async delete(caller, instance) {
      const isDeleted = await instances.delete(caller.accountId, instance, callerEvent(caller, 'instance.delete'));
      if (!isDeleted) throw new ApiError('instance_not_found');
    },

    async listHolders(caller, list, value) {
      const { id, version } = await values.get(caller, list, value);
      const holders = await instances.listHolders(caller.accountId, id);
      return holders.map((holder) => ({ ...holder, isCurrent: holder.version === version }));
    },
  };
}

/** Throws SealBrokenError when the template doesn't open; a deleted instance has none. */
export async function openSeedContent(keyring: Keyring, instance: StoredInstance): Promise<SeedContent> {
  const { accountId, dataKeyVersion, sealedTemplate } = instance;
  if (sealedTemplate === null) throw new ApiError('instance_not_found');
  const dataKeys = await keyring.dataKeys(accountId);
  return openTemplate(dataKeys.get(dataKeyVersion), sealedTemplate, instance) as SeedContent;
}

/** The network that a text names, an address alone being one of its own; undefined when it is none. */
export function parseCidr(
  text: string,
): { readonly address: string; readonly prefix: number; readonly type: 'ipv4' | 'ipv6' } | undefined {
  const [address = '', prefixText, ...rest] = text.split('/');
  const family = isIP(address);
  const bits = family === 4 ? 32 : 128;
  const prefix = prefixText === undefined ? bits : Number(/^\d{1,3}$/.test(prefixText) ? prefixText : Number.NaN);
  if (family === 0 || rest.length > 0 || !(prefix <= bits)) return undefined;
  return { address, prefix, type: family === 4 ? 'ipv4' : 'ipv6' };
}

function acceptName(text: string, field: string, problems: FieldProblems): string {
  const checked = checkListName(text);
  if ('text' in checked) return checked.text;
  problems[field] = [checked.problem.replace('The name', `The ${field}`)];
  return '';
}

/** RFC 1123: labels of letters, digits and hyphens, joined by dots. */
const HOSTNAME =
  /^(?!.{254})[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

function acceptHostname(hostname: string, problems: FieldProblems): string {
  if (!HOSTNAME.test(hostname)) {
    problems['hostname'] = ['Give a host name of letters, digits and hyphens, with dots between its labels.'];
  }
  return hostname;
}
