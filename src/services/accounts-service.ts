// Accounts: use cases of the command line.

import type { Account } from '../domain/accounts.ts';
import { AlreadyTakenError, OperatorError } from '../domain/errors.ts';
import { checkOperatorLabel } from '../domain/names.ts';
import { parseReference } from '../domain/references.ts';
import type { AccountsRepository } from '../storage/storage.ts';
import { commandLineEvent } from './caller.ts';
import type { Keyring } from './keyring.ts';

/** As the store gives it to a new account. */
export const FIRST_DATA_KEY_VERSION = 1;

export interface AccountsService {
  list(): Promise<Account[]>;
  /** By name, or by id when it is digits alone. Throws OperatorError (`refused`) when there is none. */
  get(nameOrId: string): Promise<Account>;
  create(name: string): Promise<Account>;
  /** Deletes its lists, values, keys and instances too. */
  delete(nameOrId: string): Promise<Account>;
}

/** `ensureWrappable` resolves when the new account's data key can be wrapped. */
export function createAccountsService(
  accounts: AccountsRepository,
  keyring: Keyring,
  ensureWrappable: () => Promise<void>,
): AccountsService {
  const wrapFirst = (accountId: number) => keyring.newWrappedDataKey(accountId, FIRST_DATA_KEY_VERSION);

  async function get(nameOrId: string): Promise<Account> {
    const account = await accounts.find(parseReference(nameOrId));
    if (account === undefined) {
      throw new OperatorError('refused', `There is no account "${nameOrId}"; "account list" shows those there are.`);
    }
    return account;
  }

  return {
    list: () => accounts.list(),
    get,

    async create(name) {
      const label = requireOperatorLabel(name);
      if ('id' in parseReference(label)) {
        throw new OperatorError('refused', 'A name of digits alone would be taken for an id; add a letter.');
      }
      await ensureWrappable();
      try {
        return await accounts.create(label, wrapFirst, commandLineEvent('account.create', null));
      } catch (error) {
        if (!(error instanceof AlreadyTakenError)) throw error;
        throw new OperatorError('refused', `There is an account "${label}" already; choose another name.`);
      }
    },

    async delete(nameOrId) {
      const account = await get(nameOrId);
      await accounts.delete({ id: account.id }, commandLineEvent('account.delete', account.id));
      return account;
    },
  };
}

/** Trims the name of an account or an API key. Throws OperatorError (`refused`) with what is wrong. */
export function requireOperatorLabel(name: string): string {
  const checked = checkOperatorLabel(name);
  if ('problem' in checked) throw new OperatorError('refused', checked.problem);
  return checked.text;
}
