// An account that may hold no more, told to the caller as a 422 about the field that named the new thing.

import { invalidFields, type LimitedThing, QuotaReachedError } from '../domain/errors.ts';

const WHAT: Readonly<Record<LimitedThing, { readonly many: string; readonly setting: string }>> = {
  lists: { many: 'secret lists', setting: 'SECRET_MANAGER_MAX_LISTS' },
  values: { many: 'values', setting: 'SECRET_MANAGER_MAX_VALUES' },
  instances: { many: 'instances', setting: 'SECRET_MANAGER_MAX_INSTANCES' },
};

/** Resolves as `stored` does; throws `invalid_fields` with the limit when the storage takes no more. */
export async function refuseFull<T>(stored: Promise<T>, field: string): Promise<T> {
  try {
    return await stored;
  } catch (error) {
    if (!(error instanceof QuotaReachedError)) throw error;
    const { many, setting } = WHAT[error.what];
    const full = `This account holds as many ${many} as it may, ${error.limit}`;
    throw invalidFields({ [field]: [`${full}; delete some, or have ${setting} raised on the server.`] });
  }
}
