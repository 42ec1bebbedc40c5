// The only view of the storage that the rest of the server has. Each method is one atomic step: it happens wholly,
// durably before its promise resolves, or not at all. What changes something takes its audit event and writes it in
// the same transaction.
//
// Failures: AlreadyTakenError for a name, key or token that exists; QuotaReachedError for a list, value or instance too
// many; ApiError `storage_unavailable` or `storage_full`; ApiError `unauthenticated` for a creation in an account that is
// gone; StaleDataKeyError for a seal under a data key that isn't the account's current one, or has sealed as often as it
// may.
// What doesn't exist in the given account is `undefined` or `false`, exactly like what exists in another one.
//
// The callbacks seal and prove rows inside the transaction, where ids and versions are known. They are synchronous,
// do no IO, and may be called again when an engine repeats a transaction.

import type { Account, ApiKey, StoredApiKey } from '../domain/accounts.ts';
import type {
  AuditEvent,
  AuditFilter,
  AuditHead,
  AuditPage,
  AuditTarget,
  ChainedAuditEvent,
  RecordedAuditEvent,
  RefusalEvent,
  ValueUsage,
} from '../domain/audit-events.ts';
import type {
  ClosedReason,
  DeliveredSecret,
  Instance,
  PhoneHomeReport,
  SealedTemplate,
  SecretHolder,
  StoredInstance,
} from '../domain/instances.ts';
import type { Reference } from '../domain/references.ts';
import type { SealedSecretValue, SealedValue, SecretList, SecretValueRecord } from '../domain/secrets.ts';
import type { KeyRotationRepository } from './key-rotation.ts';

export interface Storage {
  readonly lists: ListsRepository;
  readonly values: ValuesRepository;
  readonly accounts: AccountsRepository;
  readonly apiKeys: ApiKeysRepository;
  readonly keys: KeysRepository;
  readonly rotation: KeyRotationRepository;
  readonly instances: InstancesRepository;
  readonly audit: AuditRepository;
  readonly revisions: RevisionsRepository;
  /** Rejects when the store can't be written to right now. */
  checkWritable(): Promise<void>;
  close(): Promise<void>;
}

export interface ListsRepository {
  /** Ordered by id. */
  list(accountId: number): Promise<SecretList[]>;
  find(accountId: number, list: Reference): Promise<SecretList | undefined>;
  create(accountId: number, name: string, event: AuditEvent): Promise<SecretList>;
  rename(accountId: number, list: Reference, name: string, event: AuditEvent): Promise<SecretList | undefined>;
  /** Its values go with it. */
  delete(accountId: number, list: Reference, event: AuditEvent): Promise<boolean>;
}

export interface SealedContent {
  readonly sealedValue: SealedValue;
  readonly dataKeyVersion: number;
}

export type NewValuePlace = Pick<SecretValueRecord, 'id' | 'secretListId' | 'secretKey' | 'version'>;

/** Ids from the first to the last, both included. */
export interface IdRange {
  readonly first: number;
  readonly last: number;
}

/** Some values that follow one another; `marks` changes with each of them and with which they are. */
export interface BlockOfValues extends IdRange {
  readonly count: number;
  readonly marks: string;
}

export interface ValuesRepository {
  /** How the values of an account, or of one of its lists, divide into blocks of some dozens; ordered by id. */
  listBlocks(accountId: number, listId: number | null): Promise<BlockOfValues[]>;
  /** Those of the account, or of one of its lists, with ids in the range; ordered by id. */
  listRange(accountId: number, listId: number | null, range: IdRange): Promise<SealedSecretValue[]>;
  find(accountId: number, list: Reference, value: Reference): Promise<SealedSecretValue | undefined>;
  /** Those that there are, across all lists; `undefined` when they are larger than `maxBytes` together. */
  findByKeys(
    accountId: number,
    secretKeys: Iterable<string>,
    maxBytes: number,
  ): Promise<SealedSecretValue[] | undefined>;
  /** Those of the keys that there are. */
  listKnownKeys(accountId: number, secretKeys: Iterable<string>): Promise<string[]>;
  /** `undefined` when there is no such list. */
  create(
    accountId: number,
    list: Reference,
    secretKey: string,
    seal: (place: NewValuePlace) => SealedContent,
    event: AuditEvent,
  ): Promise<SealedSecretValue | undefined>;
  /** The new version is the current one plus 1; `reseal` seals for it. */
  update(
    accountId: number,
    list: Reference,
    value: Reference,
    reseal: (current: SealedSecretValue) => SealedContent & { readonly secretKey: string },
    event: AuditEvent,
  ): Promise<SealedSecretValue | undefined>;
  delete(accountId: number, list: Reference, value: Reference, event: AuditEvent): Promise<boolean>;
}

export interface WrappedKey {
  readonly wrappedKey: Uint8Array;
  readonly rootKeyFingerprint: string;
}

export interface AccountsRepository {
  /** Ordered by id. */
  list(): Promise<Account[]>;
  find(account: Reference): Promise<Account | undefined>;
  /** The new account's first data key has version 1. */
  create(name: string, wrapDataKey: (accountId: number) => WrappedKey, event: AuditEvent): Promise<Account>;
  /** Its lists, values, instances, API keys and data keys go with it. */
  delete(account: Reference, event: AuditEvent): Promise<boolean>;
}

export type NewApiKey = Omit<StoredApiKey, 'id'>;

export interface ApiKeysRepository {
  findByTokenHash(tokenHash: Uint8Array): Promise<StoredApiKey | undefined>;
  /** Ordered by id, revoked ones too. */
  list(accountId: number): Promise<ApiKey[]>;
  create(key: NewApiKey, event: AuditEvent): Promise<ApiKey>;
  /** Revokes as of the event's time, `prove` makes the row's new MAC; one that is revoked already keeps its time. */
  revoke(
    id: number,
    prove: (current: StoredApiKey, revokedAt: string) => Uint8Array,
    event: AuditEvent,
  ): Promise<ApiKey | undefined>;
}

export type SystemKeyPurpose = 'api-key-tokens' | 'api-key-rows' | 'audit-chain';
/** Without the one of the chain in a store from before there was a chain. */
export type SystemKeys = Readonly<Record<Exclude<SystemKeyPurpose, 'audit-chain'>, WrappedKey>> & {
  readonly 'audit-chain'?: WrappedKey;
};

export interface AccountDataKeys {
  /** The one that new values are sealed with. */
  readonly currentVersion: number;
  readonly dataKeys: readonly (WrappedKey & { readonly version: number })[];
}

/** What the very first start writes, all at once. */
export interface FirstStart {
  readonly rootKeyFingerprint: string;
  readonly systemKeys: SystemKeys;
  readonly accountName: string;
  readonly wrapDataKey: (accountId: number) => WrappedKey;
  readonly proveApiKey: (accountId: number) => NewApiKey;
}

export interface KeysRepository {
  /** The root keys that wrap something here; none before the first start. */
  listRootKeyFingerprints(): Promise<string[]>;
  /**
   * Refused with AlreadyTakenError when the store has been initialised.
   * Writes two audit events like the given one, for the account and for its key.
   */
  initialise(firstStart: FirstStart, event: Omit<AuditEvent, 'action'>): Promise<void>;
  findSystemKeys(): Promise<SystemKeys | undefined>;
  /** Refused with AlreadyTakenError when there is one for this purpose. */
  addSystemKey(purpose: SystemKeyPurpose, key: WrappedKey, event: AuditEvent): Promise<void>;
  findDataKeys(accountId: number): Promise<AccountDataKeys | undefined>;
}

/** How events are chained, and what hears of each commit. */
export interface AuditTrail {
  /** Hex. */
  hash(previous: string, id: number, event: Omit<RecordedAuditEvent, 'id'>): string;
  /** Over the first event of a commit and the hash of the last. */
  commitMac(firstId: number, lastHash: string): Uint8Array;
  /** Ids go on after it, so that what is cut off leaves a hole. */
  lastKnownId(): number;
  /** After each commit. Does not throw. */
  committed(head: AuditHead): void;
  /** Events that were there are gone. Does not throw. */
  tailMissing(lastId: number): void;
}

export interface TrailEnds {
  /** 0 when the trail is empty. */
  readonly firstId: number;
  readonly lastId: number;
  /** The last event that was pruned; undefined when none was. */
  readonly prunedTo: AuditHead | undefined;
}

export interface ReadValue {
  readonly accountId: number;
  readonly valueId: number;
  readonly listId: number;
  /** Reads of everything before that were not of this value. */
  readonly createdAt: string;
}

/** The trail as it is chained, for those who only look. */
export type AuditReader = Pick<AuditRepository, 'findEnds' | 'listChained'>;

export interface AuditRepository {
  /** To be called once, before anything is written. */
  follow(trail: AuditTrail): void;
  /** One event for each of the targets, or one without; durable when it resolves. */
  record(event: AuditEvent, targets: readonly AuditTarget[], reason?: string | null): Promise<void>;
  recordRefusals(events: readonly RefusalEvent[]): Promise<void>;
  search(filter: AuditFilter, limit: number): Promise<AuditPage>;
  /** Reads of the value itself, of its list's values, of all values, and by machines. */
  findLastRead(value: ReadValue): Promise<ValueUsage | undefined>;
  findEnds(): Promise<TrailEnds>;
  /** Oldest first. */
  listChained(afterId: number, limit: number): Promise<ChainedAuditEvent[]>;
  /**
   * Deletes whole commits from the beginning, up to `limit` events or a little more, all older than `before`, when
   * `check` lets them go. Writes an audit event with the last one's id and hash. Returns how many were deleted.
   */
  prune(
    before: string,
    limit: number,
    check: (events: readonly ChainedAuditEvent[], ends: TrailEnds) => void,
    event: AuditEvent,
  ): Promise<number>;
  /** Newest first. */
  list(limit: number): Promise<RecordedAuditEvent[]>;
}

/**
 * Opaque texts that are never given twice: another one after each change, whichever process made it. To be asked before
 * what it is for is read; what was read under a revision that is still current is current. Costs next to nothing.
 */
export interface RevisionsRepository {
  /** Of the API keys of all accounts together. To be asked first for each request: it notices what others committed before this turn of the event loop. */
  ofApiKeys(): Promise<string>;
  /** Of an account's lists and values; the empty text before the first change. What others commit, `ofApiKeys` notices. */
  ofAccount(accountId: number): Promise<string>;
}

export type NewInstance = Pick<
  Instance,
  'accountId' | 'instanceId' | 'hostname' | 'expiresInSeconds' | 'sourceCidr'
> & { readonly tokenHash: Uint8Array };

export interface SeedFetch {
  readonly address: string;
  /** What this fetch gave the machine; empty for files without references. */
  readonly delivered: readonly Pick<DeliveredSecret, 'valueId' | 'secretKey' | 'version'>[];
}

export interface InstancesRepository {
  /** Ordered by id, deleted ones left out. */
  list(accountId: number): Promise<Instance[]>;
  /** `undefined` for a deleted one too. */
  find(accountId: number, instance: Reference): Promise<StoredInstance | undefined>;
  /** Deleted ones too: their tombstones are still served. */
  findByTokenHash(tokenHash: Uint8Array): Promise<StoredInstance | undefined>;
  /** Refused with AlreadyTakenError (`instance-id`) when the account has another one of this name. */
  create(
    instance: NewInstance,
    seal: (id: number) => { readonly sealedTemplate: SealedTemplate; readonly dataKeyVersion: number },
    event: AuditEvent,
  ): Promise<Instance>;
  /**
   * Notes the fetch and what was delivered with it; the seed must not leave before this resolves with true. False, and
   * nothing is noted, when the seed was closed or expired meanwhile.
   */
  recordFetch(id: number, fetch: SeedFetch, event: AuditEvent): Promise<boolean>;
  /** Closes an open one and keeps its report; one that is closed already stays as it is. */
  close(id: number, reason: ClosedReason, report: PhoneHomeReport | null, event: AuditEvent): Promise<void>;
  /** Open as before its first fetch, with the same token; what it was given and reported stays. */
  reopen(accountId: number, instance: Reference, event: AuditEvent): Promise<Instance | undefined>;
  /** Forgets the template; the tombstone stays. */
  delete(accountId: number, instance: Reference, event: AuditEvent): Promise<boolean>;
  /** Ordered by secret key and version. */
  listDelivered(id: number): Promise<DeliveredSecret[]>;
  /** The instances that hold a value, each in the newest version it was given; deleted ones left out. */
  listHolders(accountId: number, valueId: number): Promise<SecretHolder[]>;
}
