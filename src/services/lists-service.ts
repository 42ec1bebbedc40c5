// Secret lists: use cases.

import { randomBytes } from 'node:crypto';
import { ApiError, invalidFields } from '../domain/errors.ts';
import { checkListName } from '../domain/names.ts';
import type { Reference } from '../domain/references.ts';
import type { SecretList } from '../domain/secrets.ts';
import type { ListsRepository } from '../storage/storage.ts';
import { type Caller, callerEvent } from './caller.ts';
import { refuseFull } from './full-accounts.ts';
import { refuseTaken } from './taken-names.ts';

export interface ListsService {
  list(caller: Caller): Promise<SecretList[]>;
  /** Throws `list_not_found`. */
  get(caller: Caller, list: Reference): Promise<SecretList>;
  /** Without a name, a unique one is generated. Throws `invalid_fields`. */
  create(caller: Caller, name: string | undefined): Promise<SecretList>;
  /** Throws `list_not_found`, `invalid_fields`. */
  rename(caller: Caller, list: Reference, name: string): Promise<SecretList>;
  /** Deletes its values too. Throws `list_not_found`. */
  delete(caller: Caller, list: Reference): Promise<void>;
}

const TAKEN = 'A secret list of this name exists already in the account; choose another name.';
const GENERATED_NAME_BYTES = 8;

export function createListsService(lists: ListsRepository): ListsService {
  return {
    list: (caller) => lists.list(caller.accountId),

    async get(caller, list) {
      return found(await lists.find(caller.accountId, list));
    },

    async create(caller, name) {
      const chosen = name === undefined ? generateName() : requireListName(name);
      const event = callerEvent(caller, 'list.create');
      const stored = refuseFull(lists.create(caller.accountId, chosen, event), 'name');
      return refuseTaken(stored, 'name', TAKEN);
    },

    async rename(caller, list, name) {
      const event = callerEvent(caller, 'list.update');
      const renamed = lists.rename(caller.accountId, list, requireListName(name), event);
      return found(await refuseTaken(renamed, 'name', TAKEN));
    },

    async delete(caller, list) {
      const isDeleted = await lists.delete(caller.accountId, list, callerEvent(caller, 'list.delete'));
      if (!isDeleted) throw new ApiError('list_not_found');
    },
  };
}

/** 64 random bits: a second one is not to be expected. */
function generateName(): string {
  return `list-${randomBytes(GENERATED_NAME_BYTES).toString('hex')}`;
}

function requireListName(name: string): string {
  const checked = checkListName(name);
  if ('problem' in checked) throw invalidFields({ name: [checked.problem] });
  return checked.text;
}

function found(list: SecretList | undefined): SecretList {
  if (list === undefined) throw new ApiError('list_not_found');
  return list;
}
