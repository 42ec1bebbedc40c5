// What the contract's tests share: an initialised store with two accounts, events, keys and blobs.

import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach } from 'vitest';
import type { AuditAction, AuditEvent, RecordedAuditEvent } from '../../../src/domain/audit-events.ts';
import type { Quotas } from '../../../src/domain/limits.ts';
import type { Reference } from '../../../src/domain/references.ts';
import type { SealedSecretValue, SealedValue, SecretList } from '../../../src/domain/secrets.ts';
import type { FirstStart, NewApiKey, SealedContent, Storage, WrappedKey } from '../../../src/storage/storage.ts';
import type { Engine, OpenedStore } from '../engines.ts';

export const ROOT_KEY_FINGERPRINT = '0123456789abcdef';

/** Ids that nothing has. */
export const UNKNOWN_IDS = [0, 999_999, Number.MAX_SAFE_INTEGER];

/** Refused by any engine, so that a change is seen to go with its audit event. */
export const UNWRITABLE_ACTOR = null as unknown as AuditEvent['actor'];

export interface Stage extends OpenedStore {
  /** The account of the test. */
  readonly home: number;
  /** Another account, with nothing in it. */
  readonly stranger: number;
}

const ALL_IDS = { first: 0, last: Number.MAX_SAFE_INTEGER };

export function allValues({ values }: Storage, accountId: number): Promise<SealedSecretValue[]> {
  return values.listRange(accountId, null, ALL_IDS);
}

export async function valuesOfList(
  { lists, values }: Storage,
  accountId: number,
  list: Reference,
): Promise<SealedSecretValue[] | undefined> {
  const found = await lists.find(accountId, list);
  return found && values.listRange(accountId, found.id, ALL_IDS);
}

/** Gives each test a store of its own; to be called in a describe block. */
export function stageFor(engine: Engine): () => Stage {
  let stage: Stage | undefined;
  beforeEach(async () => {
    stage = await prepareStage(engine);
  });
  // A test may have closed it.
  afterEach(() => stage?.storage.close().catch(() => undefined));
  return () => stage as Stage;
}

export async function prepareStage(engine: Engine, quotas?: Quotas): Promise<Stage> {
  const { storage, openAgain } = await engine.open(quotas);
  await storage.keys.initialise(firstStart(), eventOf('account.create'));
  const home = await storage.accounts.find({ name: 'home' });
  const stranger = await storage.accounts.create('stranger', wrapDataKey, eventOf('account.create'));
  return { storage, openAgain, home: home?.id ?? 0, stranger: stranger.id };
}

export function firstStart(changes: Partial<FirstStart> = {}): FirstStart {
  return {
    rootKeyFingerprint: ROOT_KEY_FINGERPRINT,
    systemKeys: { 'api-key-tokens': wrapDataKey(0), 'api-key-rows': wrapDataKey(0), 'audit-chain': wrapDataKey(0) },
    accountName: 'home',
    wrapDataKey,
    proveApiKey: (accountId) => newApiKey(accountId, { name: 'first' }),
    ...changes,
  };
}

export function wrapDataKey(accountId: number): WrappedKey {
  const wrappedKey = Buffer.concat([Buffer.from(`account ${accountId} `), randomBytes(32)]);
  return { rootKeyFingerprint: ROOT_KEY_FINGERPRINT, wrappedKey };
}

let seconds = 0;

/** Each event is a second later than the one before, so that times tell which event set them. */
export function eventOf(action: AuditAction, changes: Partial<AuditEvent> = {}): AuditEvent {
  seconds += 1;
  return {
    occurredAt: new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString(),
    actor: 'api-key',
    accountId: 1,
    apiKeyId: 1,
    action,
    requestId: `request-${seconds}`,
    address: '192.0.2.1',
    ...changes,
  };
}

export function newApiKey(accountId: number, changes: Partial<NewApiKey> = {}): NewApiKey {
  return {
    accountId,
    name: 'deploy',
    hint: 'smk_abcdef',
    rights: 'write',
    tokenHash: randomBytes(32),
    rowMac: randomBytes(32),
    createdAt: '2026-01-01T00:00:00.000Z',
    expiresAt: null,
    revokedAt: null,
    ...changes,
  };
}

export function blobOf(content: string | Uint8Array): SealedValue {
  return Buffer.from(content as string) as Uint8Array as SealedValue;
}

export function sealed(content: string | Uint8Array): () => SealedContent {
  return () => ({ sealedValue: blobOf(content), dataKeyVersion: 1 });
}

export function createList({ storage, home }: Stage, name: string, accountId = home): Promise<SecretList> {
  return storage.lists.create(accountId, name, eventOf('list.create', { accountId }));
}

/** Throws when there is no such list. */
export async function createValue(
  { storage, home }: Stage,
  listId: number,
  secretKey: string,
  content: string | Uint8Array = 'sealed',
  accountId = home,
): Promise<SealedSecretValue> {
  const event = eventOf('value.create', { accountId });
  const created = await storage.values.create(accountId, { id: listId }, secretKey, sealed(content), event);
  if (created === undefined) throw new Error(`there is no list ${listId}`);
  return created;
}

/** The audit events that the work wrote, oldest first; whether it succeeded is for the work to say. */
export async function auditOf(storage: Storage, work: () => Promise<unknown>): Promise<RecordedAuditEvent[]> {
  const newestBefore = (await storage.audit.list(1))[0]?.id ?? 0;
  await work();
  const newest = await storage.audit.list(1000);
  return newest.filter(({ id }) => id > newestBefore).reverse();
}

/** Everything that an account can see of itself, to compare before and after. */
export async function everythingOf(storage: Storage, accountId: number): Promise<unknown> {
  return {
    account: await storage.accounts.find({ id: accountId }),
    lists: await storage.lists.list(accountId),
    values: (await allValues(storage, accountId)).map((value) => ({
      ...value,
      sealedValue: hex(value.sealedValue),
    })),
    apiKeys: await storage.apiKeys.list(accountId),
    dataKeys: await storage.keys.findDataKeys(accountId),
    audit: await storage.audit.list(1000),
  };
}

export function hex(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('hex');
}
