// What `${{secret.KEY | FILTER}}` makes of a value.

import { Buffer } from 'node:buffer';
import { MAX_PASSWORD_BYTES } from '../domain/limits.ts';
import { sha512Crypt } from './sha512-crypt.ts';

export const FILTERS = ['sh', 'b64', 'json', 'sha512crypt'] as const;
export type Filter = (typeof FILTERS)[number];

/** The text to put in, or what keeps this value from being filtered. Never holds the value. */
export type Filtered = { readonly text: string } | { readonly problem: string };

export function isFilter(name: string): name is Filter {
  return (FILTERS as readonly string[]).includes(name);
}

export function applyFilter(filter: Filter, value: string): Filtered {
  switch (filter) {
    case 'sh':
      return quoteForShell(value);
    case 'b64':
      return { text: Buffer.from(value).toString('base64') };
    case 'json':
      return { text: quoteAsJson(value) };
    case 'sha512crypt':
      return hashPassword(value);
  }
}

/** One word for any POSIX shell: nothing is special between single quotes but the single quote. */
function quoteForShell(value: string): Filtered {
  if (value.includes('\0')) return { problem: 'has a NUL character in it, which no shell word can hold' };
  return { text: `'${value.replaceAll("'", "'\\''")}'` };
}

/** U+2028 and U+2029 end a line for JavaScript before ES2019 and for readers of YAML 1.1. */
function quoteAsJson(value: string): string {
  return JSON.stringify(value).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}

function hashPassword(value: string): Filtered {
  if (/[\0\r\n]/.test(value)) return { problem: 'has a NUL or a line break in it, which nobody can type at a login' };
  if (Buffer.byteLength(value) > MAX_PASSWORD_BYTES) {
    return { problem: `is longer than the ${MAX_PASSWORD_BYTES} bytes that crypt(3) takes for a password` };
  }
  return { text: sha512Crypt(value) };
}
