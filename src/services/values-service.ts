// Secret values: use cases. The only place where a value is sealed or opened.

import { openValue, sealValue, type ValueIdentity } from '../crypto/value-seal.ts';
import { ApiError, type FieldProblems, invalidFields, StaleDataKeyError } from '../domain/errors.ts';
import { checkSecretKey, checkSecretValue } from '../domain/names.ts';
import type { Reference } from '../domain/references.ts';
import type { PlainValue, SealedSecretValue, SecretValue } from '../domain/secrets.ts';
import type { IdRange, NewValuePlace, SealedContent, ValuesRepository } from '../storage/storage.ts';
import { type Caller, callerEvent } from './caller.ts';
import { acceptText, throwProblems } from './field-problems.ts';
import { refuseFull } from './full-accounts.ts';
import type { DataKeys, Keyring } from './keyring.ts';
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
  /** Throws `value_not_found`; opens nothing. */
  confirm(caller: Caller, list: Reference, value: Reference): Promise<void>;
  /** Throws `value_not_found`. */
  get(caller: Caller, list: Reference, value: Reference): Promise<SecretValue>;
  /** Of an account, or of one of its lists. Throws SealBrokenError when one of them doesn't open: never a part of them. */
  openRange(accountId: number, listId: number | null, range: IdRange): Promise<SecretValue[]>;
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
  /** Called with the id of a value that doesn't open: somebody changed the database, or the disk did. */
  onBrokenSeal: (valueId: number) => void;
}): ValuesService {
  const { values, keyring, onBrokenSeal } = deps;

  function openOne(accountId: number, dataKeys: DataKeys, record: SealedSecretValue): SecretValue {
    try {
      const key = dataKeys.get(record.dataKeyVersion);
      return withSecret(record, openValue(key, record.sealedValue, { ...record, accountId }));
    } catch (error) {
      if (!(error instanceof StaleDataKeyError)) onBrokenSeal(record.id);
      throw error;
    }
  }

  function openAll(accountId: number, dataKeys: DataKeys, records: readonly SealedSecretValue[]): SecretValue[] {
    return records.map((record) => openOne(accountId, dataKeys, record));
  }

  return {
    openRange: (accountId, listId, range) =>
      keyring.withDataKeys(accountId, async (dataKeys) =>
        openAll(accountId, dataKeys, await values.listRange(accountId, listId, range)),
      ),

    async confirm({ accountId }, list, value) {
      if ((await values.find(accountId, list, value)) === undefined) throw new ApiError('value_not_found');
    },

    get: ({ accountId }, list, value) =>
      keyring.withDataKeys(accountId, async (dataKeys) => {
        const sealed = await values.find(accountId, list, value);
        if (sealed === undefined) throw new ApiError('value_not_found');
        return openOne(accountId, dataKeys, sealed);
      }),

    openByKeys: (accountId, secretKeys, maxBytes) =>
      keyring.withDataKeys(accountId, async (dataKeys) => {
        const sealed = await values.findByKeys(accountId, secretKeys, maxBytes);
        return sealed && openAll(accountId, dataKeys, sealed);
      }),

    listKnownKeys: (accountId, secretKeys) => values.listKnownKeys(accountId, secretKeys),

    async create(caller, list, content) {
      const { accountId } = caller;
      const { secretKey, secretValue } = checkContent(content);
      const event = callerEvent(caller, 'value.create');
      const creation = keyring.withDataKeys(accountId, (dataKeys) => {
        const seal = (place: NewValuePlace) => sealAt(accountId, dataKeys, place, secretValue);
        return values.create(accountId, list, secretKey, seal, event);
      });
      const created = await refuseTaken(refuseFull(creation, 'secret_key'), 'secret_key', TAKEN);
      if (created === undefined) throw new ApiError('list_not_found');
      return withSecret(created, secretValue);
    },

    async update(caller, list, value, wanted) {
      const { accountId } = caller;
      const checked = checkChange(wanted);
      let secretValue: PlainValue | undefined;
      const event = callerEvent(caller, 'value.update');
      const change = keyring.withDataKeys(accountId, (dataKeys) => {
        const reseal = (current: SealedSecretValue) => {
          const secretKey = checked.secretKey ?? current.secretKey;
          secretValue = checked.secretValue ?? openOne(accountId, dataKeys, current).secretValue;
          const place = { ...current, secretKey, version: current.version + 1 };
          return { secretKey, ...sealAt(accountId, dataKeys, place, secretValue) };
        };
        return values.update(accountId, list, value, reseal, event);
      });
      const updated = await refuseTaken(change, 'secret_key', TAKEN);
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
