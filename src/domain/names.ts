// The rules of the wire contract for names, keys and values: what is accepted, and the sentence when it isn't.
// A sentence never repeats what was sent.

import {
  MAX_LABEL_CHARACTERS,
  MAX_LIST_NAME_CHARACTERS,
  MAX_SECRET_KEY_CHARACTERS,
  MAX_SECRET_VALUE_BYTES,
} from './limits.ts';

/** Either the text in the form it is stored in, or the sentence that says what is wrong with it. */
export type Checked = { readonly text: string } | { readonly problem: string };

const CONTROL_CHARACTER = /\p{Cc}/u;
const REFERENCE_CHARACTER = /[{}|]/;
const MALFORMED = 'The text has half of a surrogate pair in it; send well-formed Unicode.';

function checkLabel(text: string, what: string, maxCharacters: number): Checked {
  if (!text.isWellFormed()) return { problem: MALFORMED };
  const trimmed = text.trim();
  if (CONTROL_CHARACTER.test(trimmed)) return { problem: `The ${what} has a control character in it; remove it.` };
  if (trimmed === '') return { problem: `The ${what} is empty; give it at least one character.` };
  if (countCharacters(trimmed) > maxCharacters) {
    return { problem: `The ${what} is longer than ${maxCharacters} characters; shorten it.` };
  }
  return { text: trimmed };
}

function countCharacters(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** Trims a list name; 1 to 255 code points without control characters. */
export function checkListName(name: string): Checked {
  return checkLabel(name, 'name', MAX_LIST_NAME_CHARACTERS);
}

/** Trims an instance id: the rules of a list name. */
export function checkInstanceId(id: string): Checked {
  return checkLabel(id, 'instance_id', MAX_LIST_NAME_CHARACTERS);
}

/** Leaves a document as it is. */
export function checkDocumentText(text: string): Checked {
  return text.isWellFormed() ? { text } : { problem: MALFORMED };
}

/** Trims a secret key; 1 to 255 code points without control characters and without `{`, `}`, `|`. */
export function checkSecretKey(key: string): Checked {
  const checked = checkLabel(key, 'secret key', MAX_SECRET_KEY_CHARACTERS);
  if ('text' in checked && REFERENCE_CHARACTER.test(checked.text)) {
    return { problem: 'The secret key has one of { } | in it; a reference could not name it.' };
  }
  return checked;
}

/** Leaves a secret value as it is; 0 to 1,048,576 bytes of UTF-8. */
export function checkSecretValue(value: string): Checked {
  if (!value.isWellFormed()) return { problem: MALFORMED };
  if (Buffer.byteLength(value) > MAX_SECRET_VALUE_BYTES) {
    return { problem: 'The secret value is longer than 1,048,576 bytes; shorten it.' };
  }
  return { text: value };
}

/** Trims the name of an account or of an API key; 1 to 100 code points without control characters. */
export function checkOperatorLabel(name: string): Checked {
  return checkLabel(name, 'name', MAX_LABEL_CHARACTERS);
}
