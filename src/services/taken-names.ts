// A name that exists already, told to the caller as a 422 about the field that named it.

import { AlreadyTakenError, invalidFields } from '../domain/errors.ts';

/** Resolves as `stored` does; throws `invalid_fields` with the sentence when the storage has one of that name. */
export async function refuseTaken<T>(stored: Promise<T>, field: string, sentence: string): Promise<T> {
  try {
    return await stored;
  } catch (error) {
    if (!(error instanceof AlreadyTakenError)) throw error;
    throw invalidFields({ [field]: [sentence] });
  }
}
