// Secret values: use cases. The only place where a value is sealed or opened.

import { openValue, sealValue, type ValueIdentity } from '../crypto/value-seal.ts';
import { ApiError, type FieldProblems, invalidFields } from '../domain/errors.ts';
import { checkSecretKey, checkSecretValue } from '../domain/names.ts';
import type { Reference } from '../domain/references.ts';
import type { PlainValue, SealedSecretValue, SecretValue } from '../domain/secrets.ts';
import type { NewValuePlace, SealedContent, ValuesRepository } from '../storage/storage.ts';
import { type Caller, callerEvent } from './caller.ts';
import { acceptText, throwProblems } from './field-problems.ts';
import type { DataKeys, Keyring } from './keyring.ts';
import type { ReadAudit } from './read-audit.ts';
import { refuseTaken } from './taken-names.ts';

export interface NewValue {
  readonly secretKey: string;
  readonly secretValue: string;
}

export interface ValueChange {
  readonly secretKey: string | undefined;
  readonly secretValue: string | undefined;
}

export interface ValuesService {
  listAll(caller: Caller): Promise<SecretValue[]>;
  /** Throws `list_not_found`. */
  list(caller: Caller, list: Reference): Promise<SecretValue[]>;
  /** Throws `value_not_found`. */
  get(caller: Caller, list: Reference, value: Reference): Promise<SecretValue>;
  /** The values of those keys that there are, across all lists; undefined when larger than `maxBytes` together. */
  openByKeys(accountId: number, secretKeys: Iterable<string>, maxBytes: number): Promise<SecretValue[] | undefined>;
  /** Those of the keys that there are; opens nothing. */
  listKnownKeys(accountId: number, secretKeys: Iterable<string>): Promise<string[]>;
  /** Throws `list_not_found`, `invalid_fields`. */
  create(caller: Caller, list: Reference, content: NewValue): Promise<SecretValue>;
  /** Changes only what is given. Throws `value_not_found`, `invalid_fields`. */
  update(caller: Caller, list: Reference, value: Reference, change: ValueChange): Promise<SecretValue>;
  /** Throws `value_not_found`. */
  delete(caller: Caller, list: Reference, value: Reference): Promise<void>;
}

const TAKEN = 'This secret key exists already in the account; choose another one.';

export function createValuesService(deps: {
  values: ValuesRepository;
  keyring: Keyring;
  reads: ReadAudit;
  /** Called with the id of a value that doesn't open: somebody changed the database, or the disk did. */
  onBrokenSeal: (valueId: number) => void;
}): ValuesService {
  const { values, keyring, reads, onBrokenSeal } = deps;

  function openOne(accountId: number, dataKeys: DataKeys, record: SealedSecretValue): SecretValue {
    try {
      const key = dataKeys.get(record.dataKeyVersion);
      return withSecret(record, openValue(key, record.sealedValue, { ...record, accountId }));
    } catch (error) {
      onBrokenSeal(record.id);
      throw error;
    }
  }

  function openAll(accountId: number, dataKeys: DataKeys, records: readonly SealedSecretValue[]): SecretValue[] {
    return records.map((record) => openOne(accountId, dataKeys, record));
  }

  return {
    async listAll(caller) {
      const { accountId } = caller;
      const opened = openAll(accountId, await keyring.dataKeys(accountId), await values.listAll(accountId));
      return await reads.release(caller, 'value.list-all', opened);
    },

    async list(caller, list) {
      const { accountId } = caller;
      const sealed = await values.list(accountId, list);
      if (sealed === undefined) throw new ApiError('list_not_found');
      const opened = openAll(accountId, await keyring.dataKeys(accountId), sealed);
      return await reads.release(caller, 'value.list', opened);
    },

    async get(caller, list, value) {
      const { accountId } = caller;
      const sealed = await values.find(accountId, list, value);
      if (sealed === undefined) throw new ApiError('value_not_found');
      const opened = openOne(accountId, await keyring.dataKeys(accountId), sealed);
      await reads.recordRead(caller, 'value.read', { kind: 'value', id: opened.id, parentId: opened.secretListId });
      return opened;
    },

    async openByKeys(accountId, secretKeys, maxBytes) {
      const sealed = await values.findByKeys(accountId, secretKeys, maxBytes);
      return sealed && openAll(accountId, await keyring.dataKeys(accountId), sealed);
    },

    listKnownKeys: (accountId, secretKeys) => values.listKnownKeys(accountId, secretKeys),

    async create(caller, list, content) {
      const { accountId } = caller;
      const { secretKey, secretValue } = checkContent(content);
      const dataKeys = await keyring.dataKeys(accountId);
      const event = callerEvent(caller, 'value.create');
      const seal = (place: NewValuePlace) => sealAt(accountId, dataKeys, place, secretValue);
      const created = await refuseTaken(values.create(accountId, list, secretKey, seal, event), 'secret_key', TAKEN);
      if (created === undefined) throw new ApiError('list_not_found');
      return withSecret(created, secretValue);
    },

    async update(caller, list, value, change) {
      const { accountId } = caller;
      const checked = checkChange(change);
      const dataKeys = await keyring.dataKeys(accountId);
      let secretValue: PlainValue | undefined;
      const reseal = (current: SealedSecretValue) => {
        const secretKey = checked.secretKey ?? current.secretKey;
        secretValue = checked.secretValue ?? openOne(accountId, dataKeys, current).secretValue;
        const place = { ...current, secretKey, version: current.version + 1 };
        return { secretKey, ...sealAt(accountId, dataKeys, place, secretValue) };
      };
      const event = callerEvent(caller, 'value.update');
      const updated = await refuseTaken(values.update(accountId, list, value, reseal, event), 'secret_key', TAKEN);
      if (updated === undefined || secretValue === undefined) throw new ApiError('value_not_found');
      return withSecret(updated, secretValue);
    },

    async delete(caller, list, value) {
      const isDeleted = await values.delete(caller.accountId, list, value, callerEvent(caller, 'value.delete'));
      if (!isDeleted) throw new ApiError('value_not_found');
    },
  };
}

function sealAt(accountId: number, dataKeys: DataKeys, place: NewValuePlace, value: PlainValue): SealedContent {
  const dataKeyVersion = dataKeys.currentVersion;
  const identity: ValueIdentity = { ...place, accountId, dataKeyVersion };
  return { sealedValue: sealValue(dataKeys.get(dataKeyVersion), value, identity), dataKeyVersion };
}

function withSecret(record: SealedSecretValue, secretValue: PlainValue): SecretValue {
  const { id, secretListId, secretKey, version, createdAt, updatedAt } = record;
  return { id, secretListId, secretKey, secretValue, version, createdAt, updatedAt };
}

function checkContent({ secretKey, secretValue }: NewValue) {
  const problems: FieldProblems = {};
  const checked = { secretKey: acceptKey(secretKey, problems), secretValue: acceptValue(secretValue, problems) };
  throwProblems(problems);
  return checked;
}

function checkChange({ secretKey, secretValue }: ValueChange) {
  if (secretKey === undefined && secretValue === undefined) {
    const missing = 'Send secret_key, secret_value or both; there is nothing to change.';
    throw invalidFields({ secret_key: [missing], secret_value: [missing] });
  }
  const problems: FieldProblems = {};
  const checked = {
    secretKey: secretKey === undefined ? undefined : acceptKey(secretKey, problems),
    secretValue: secretValue === undefined ? undefined : acceptValue(secretValue, problems),
  };
  throwProblems(problems);
  return checked;
}

function acceptKey(secretKey: string, problems: FieldProblems): string {
  return acceptText(checkSecretKey(secretKey), 'secret_key', problems);
}

function acceptValue(secretValue: string, problems: FieldProblems): PlainValue {
  return acceptText(checkSecretValue(secretValue), 'secret_value', problems) as PlainValue;
}
