// Root keys as text: base64, one or several, the current one first.

import { KEY_BYTES } from './root-key.ts';

const BASE64_OF_32_BYTES = /^[A-Za-z0-9+/]{43}=$/;
const SEPARATOR = /[\s,]+/;

/** `fault` goes on a sentence that began with where the text is from. It says which key by its position alone. */
export type ParsedRootKeys = { readonly keys: readonly [Buffer, ...Buffer[]] } | { readonly fault: string };

/** Keys are separated by commas, blanks or line ends; those around the text don't count. */
export function parseRootKeys(text: string): ParsedRootKeys {
  const parts = splitRootKeys(text);
  const wrong = parts.findIndex((part) => !BASE64_OF_32_BYTES.test(part));
  const isWhat = `not ${KEY_BYTES} bytes in base64`;
  const [first, ...others] = parts.map((part) => Buffer.from(part, 'base64'));
  if (wrong < 0 && first !== undefined) return { keys: [first, ...others] };
  return {
    fault: parts.length < 2 ? `is ${isWhat}` : `has ${parts.length} keys, and number ${wrong + 1} is ${isWhat}`,
  };
}

export function splitRootKeys(text: string): string[] {
  return text.split(SEPARATOR).filter((part) => part !== '');
}
