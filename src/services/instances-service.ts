// Instances: use cases of those who build machines. The seeds themselves are in seeds-service.

import type { DocumentKind } from '../cloud-init/document-kinds.ts';
import { NETWORK_CONFIG_KIND } from '../cloud-init/seed-files.ts';
import type { ApiKeyProof } from '../crypto/api-key-proof.ts';
import { generateToken, SEED_TOKEN_PREFIX } from '../crypto/api-key-token.ts';
import { sealTemplate } from '../crypto/template-seal.ts';
import { ApiError, type FieldProblems } from '../domain/errors.ts';
import type { DeliveredSecret, Instance, InstanceTemplate, SecretHolder, StoredInstance } from '../domain/instances.ts';
import { checkDocumentText, checkInstanceId } from '../domain/names.ts';
import { parseReference, type Reference } from '../domain/references.ts';
import type { InstancesRepository, ValuesRepository } from '../storage/storage.ts';
import { type Caller, callerEvent } from './caller.ts';
import { acceptText, throwProblems } from './field-problems.ts';
import { refuseFull } from './full-accounts.ts';
import type { Keyring } from './keyring.ts';
import type { RenderingService } from './rendering-service.ts';
import { openSeedContent, type SeedContent } from './seed-content.ts';
import { isNetwork } from './source-network.ts';
import { refuseTaken } from './taken-names.ts';
import { describeProblem } from './user-data-service.ts';

export interface NewInstanceRequest {
  readonly instanceId: string;
  readonly hostname: string;
  readonly template: InstanceTemplate;
  readonly expiresInSeconds: number | null;
  readonly sourceCidr: string | null;
}

export interface InstanceWithToken {
  readonly instance: Instance;
  readonly token: string;
}

export interface InstanceDetails {
  readonly instance: Instance;
  /** undefined for a caller who may only read: with it he could fetch and close the seed. */
  readonly token: string | undefined;
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
  readonly values: ValuesRepository;
  readonly keyring: Keyring;
  readonly proof: ApiKeyProof;
  readonly rendering: RenderingService;
}

export function createInstancesService(deps: InstancesDependencies): InstancesService {
  const { instances, values, keyring, proof, rendering } = deps;

  async function tokenOf(instance: StoredInstance): Promise<string> {
    return (await openSeedContent(keyring, instances, instance)).token;
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
    const document = Buffer.from(acceptText(checkDocumentText(text), field, problems));
    const { problems: found } = await rendering.check(accountId, document, undefined, knownKind);
    if (found.length > 0) problems[field] = found.map(describeProblem);
  }

  return {
    list: (caller) => instances.list(caller.accountId),

    async get(caller, instance) {
      const found = await find(caller, instance);
      const token = caller.rights === 'write' ? await tokenOf(found) : undefined;
      return { instance: found, token, delivered: await instances.listDelivered(found.id) };
    },

    async create(caller, request) {
      const { accountId } = caller;
      const { template, expiresInSeconds, sourceCidr } = request;
      const problems: FieldProblems = {};
      const instanceId = acceptText(checkInstanceId(request.instanceId), 'instance_id', problems);
      if ('id' in parseReference(instanceId)) {
        problems['instance_id'] = ['An instance_id of digits alone would be taken for an id; add a letter.'];
      }
      const hostname = acceptHostname(request.hostname, problems);
      if (expiresInSeconds !== null && !(expiresInSeconds >= 1 && expiresInSeconds <= MAX_EXPIRY_SECONDS)) {
        problems['expires_in'] = [`Give a whole number of seconds from 1 to ${MAX_EXPIRY_SECONDS}.`];
      }
      if (sourceCidr !== null && !isNetwork(sourceCidr)) {
        problems['source_cidr'] = ['Give an address, or a network like 192.0.2.0/24 or 2001:db8::/32.'];
      }
      await checkDocument(accountId, 'user_data', template.userData, problems);
      await checkDocument(accountId, 'vendor_data', template.vendorData, problems);
      await checkDocument(accountId, 'network_config', template.networkConfig, problems, NETWORK_CONFIG_KIND);
      throwProblems(problems);

      const token = generateToken(SEED_TOKEN_PREFIX);
      const content: SeedContent = { ...template, token };
      const identity = { accountId, instanceId, hostname, expiresInSeconds, sourceCidr };
      const row = { ...identity, tokenHash: proof.hashToken(token) };
      const creation = keyring.withDataKeys(accountId, (dataKeys) => {
        const dataKeyVersion = dataKeys.currentVersion;
        const seal = (id: number) => ({
          sealedTemplate: sealTemplate(dataKeys.get(dataKeyVersion), content, { ...identity, id, dataKeyVersion }),
          dataKeyVersion,
        });
        return instances.create(row, seal, callerEvent(caller, 'instance.create'));
      });
      const created = refuseFull(creation, 'instance_id');
      const instance = await refuseTaken(created, 'instance_id', TAKEN);
      return { instance, token };
    },

    async reopen(caller, instance) {
      const reopened = await instances.reopen(caller.accountId, instance, callerEvent(caller, 'instance.reopen'));
      if (reopened === undefined) throw new ApiError('instance_not_found');
      const opened = await find(caller, { id: reopened.id });
      return { instance: opened, token: await tokenOf(opened) };
    },

    async delete(caller, instance) {
      const isDeleted = await instances.delete(caller.accountId, instance, callerEvent(caller, 'instance.delete'));
      if (!isDeleted) throw new ApiError('instance_not_found');
    },

    async listHolders(caller, list, value) {
      const held = await values.find(caller.accountId, list, value);
      if (held === undefined) throw new ApiError('value_not_found');
      const holders = await instances.listHolders(caller.accountId, held.id);
      return holders.map((holder) => ({ ...holder, isCurrent: holder.version === held.version }));
    },
  };
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
