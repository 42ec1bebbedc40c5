// What a booting machine is given: its seed while it is open, its tombstone ever after. The token is all it needs, and
// opens nothing else.

import {
  CLOSED_USER_DATA,
  mergeVendorData,
  metaData,
  NETWORK_CONFIG_KIND,
  PHONE_HOME_FIELDS,
  phoneHomeConfig,
  SEED_FILES,
  type SeedFile,
} from '../cloud-init/seed-files.ts';
import type { ApiKeyProof } from '../crypto/api-key-proof.ts';
import { isTokenWellFormed } from '../crypto/api-key-token.ts';
import { SealBrokenError } from '../crypto/envelope.ts';
import type { AuditAction, AuditEvent } from '../domain/audit-events.ts';
import { ApiError, type ErrorCode } from '../domain/errors.ts';
import { isSeedOpen, type PhoneHomeReport, type StoredInstance } from '../domain/instances.ts';
import type { InstancesRepository } from '../storage/storage.ts';
import type { FailuresService } from './failures-service.ts';
import type { Keyring } from './keyring.ts';
import type { RefusalsService } from './refusals-service.ts';
import { openSeedContent } from './seed-content.ts';
import { isInNetwork } from './source-network.ts';
import type { UserDataService } from './user-data-service.ts';

export { SEED_FILES };

export interface SeedRequest {
  readonly token: string;
  readonly requestId: string;
  readonly address: string;
  /** How the machine reached this server, without a trailing slash. */
  readonly baseUrl: string;
  /** False when the answer has no body, as with HEAD: nothing is then delivered. */
  readonly isDelivered: boolean;
}

export interface SeedsService {
  /** Throws `seed_not_found`, `seed_not_ready`. */
  fetch(request: SeedRequest, file: SeedFile): Promise<Uint8Array>;
  /** Throws `seed_not_found` for a token that is none; to be asked before a body is read. */
  requireKnown(request: SeedRequest): Promise<void>;
  /** Closes the seed; doing it again changes nothing. Throws `seed_not_found`. */
  phoneHome(request: SeedRequest, fields: Readonly<Record<string, unknown>>): Promise<void>;
}

const MAX_REPORT_CHARACTERS = 4_096;

export function createSeedsService(deps: {
  instances: InstancesRepository;
  keyring: Keyring;
  proof: ApiKeyProof;
  userData: UserDataService;
  refusals: RefusalsService;
  failures: FailuresService;
}): SeedsService {
  const { instances, keyring, proof, userData, refusals, failures } = deps;

  async function findInstance(request: SeedRequest, action: AuditAction): Promise<StoredInstance> {
    const isToken = isTokenWellFormed(request.token);
    const instance = isToken ? await instances.findByTokenHash(proof.hashToken(request.token)) : undefined;
    if (instance !== undefined) return instance;
    const error = failures.refusal('seed_not_found', request.address);
    recordRefusal(undefined, request, action, error.code);
    throw error;
  }

  /** From another address an open seed is not there. A tombstone holds nothing, and is served to whoever boots on. */
  function requireAllowed(instance: StoredInstance, request: SeedRequest, action: AuditAction): void {
    const { sourceCidr } = instance;
    if (sourceCidr === null || isInNetwork(request.address, sourceCidr)) return;
    // Counted like an unknown token: the answers must not differ.
    const error = failures.refusal('seed_not_found', request.address);
    recordRefusal(instance, request, action, error.code === 'seed_not_found' ? 'seed_forbidden' : error.code);
    throw error;
  }

  function recordRefusal(
    instance: StoredInstance | undefined,
    request: SeedRequest,
    action: AuditAction,
    reason: ErrorCode | 'seed_forbidden' | 'seed_closed',
  ): void {
    const target = instance && ({ kind: 'instance', id: instance.id, parentId: null } as const);
    const event = seedEvent(instance, request, action);
    refusals.record({ ...event, reason, target: target ?? null, occurrences: 1 });
  }

  function serveTombstone(instance: StoredInstance, request: SeedRequest, file: SeedFile): Buffer {
    recordRefusal(instance, request, 'seed.fetch', 'seed_closed');
    return tombstone(instance, file);
  }

  async function renderFile(instance: StoredInstance, request: SeedRequest, file: SeedFile) {
    if (file === 'meta-data') {
      return { bytes: Buffer.from(metaData(instance.instanceId, instance.hostname)), delivered: [] };
    }
    const content = await openSeedContent(keyring, instances, instance);
    // The row was given another instance's token by somebody without the root key.
    if (content.token !== request.token) throw new SealBrokenError();
    const templates = {
      'user-data': content.userData,
      'vendor-data': content.vendorData,
      'network-config': content.networkConfig,
    };
    const knownKind = file === 'network-config' ? NETWORK_CONFIG_KIND : undefined;
    const rendered = await userData.render(instance.accountId, Buffer.from(templates[file]), knownKind);
    if ('problems' in rendered) {
      recordRefusal(instance, request, 'seed.fetch', 'seed_not_ready');
      throw new ApiError('seed_not_ready');
    }
    if (file !== 'vendor-data') return rendered;
    const phoneHome = phoneHomeConfig(`${request.baseUrl}/nocloud/${request.token}/phone-home`);
    const merged = mergeVendorData(Buffer.from(rendered.bytes).toString(), phoneHome);
    return { bytes: Buffer.from(merged), delivered: rendered.delivered };
  }

  return {
    async fetch(request, file) {
      const instance = await findInstance(request, 'seed.fetch');
      if (!isSeedOpen(instance, Date.now())) return serveTombstone(instance, request, file);
      requireAllowed(instance, request, 'seed.fetch');
      const { bytes, delivered } = await renderFile(instance, request, file);
      if (!request.isDelivered) return bytes;
      const event = seedEvent(instance, request, 'seed.fetch');
      const isStillOpen = await instances.recordFetch(instance.id, { address: request.address, delivered }, event);
      return isStillOpen ? bytes : serveTombstone(instance, request, file);
    },

    async requireKnown(request) {
      await findInstance(request, 'seed.phone-home');
    },

    async phoneHome(request, fields) {
      const instance = await findInstance(request, 'seed.phone-home');
      if (instance.closedAt !== null) return;
      requireAllowed(instance, request, 'seed.phone-home');
      await instances.close(
        instance.id,
        'phone-home',
        reportOf(fields),
        seedEvent(instance, request, 'seed.phone-home'),
      );
    },
  };
}

function tombstone({ instanceId, hostname }: StoredInstance, file: SeedFile): Buffer {
  if (file === 'meta-data') return Buffer.from(metaData(instanceId, hostname));
  return Buffer.from(file === 'user-data' ? CLOSED_USER_DATA : '');
}

function seedEvent(instance: StoredInstance | undefined, request: SeedRequest, action: AuditAction): AuditEvent {
  return {
    occurredAt: new Date().toISOString(),
    actor: instance === undefined ? 'anonymous' : 'instance',
    accountId: instance?.accountId ?? null,
    apiKeyId: null,
    action,
    requestId: request.requestId,
    address: request.address,
  };
}

function reportOf(fields: Readonly<Record<string, unknown>>): PhoneHomeReport {
  const report: Record<string, string> = {};
  for (const name of PHONE_HOME_FIELDS) {
    const value = fields[name];
    if (typeof value === 'string') report[name] = value.slice(0, MAX_REPORT_CHARACTERS).toWellFormed();
  }
  return report;
}
