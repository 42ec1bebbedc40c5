// The text of an API key: made, and checked for typing errors before anything is looked up.

import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** Generated tokens start with it, so that scanners for leaked secrets can recognise them. */
export const TOKEN_PREFIX = 'smk_';
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const RANDOM_BYTES = 32;
const RANDOM_CHARACTERS = 43;
const CHECKSUM_CHARACTERS = 6;
const HINT_CHARACTERS = TOKEN_PREFIX.length + 6;
const TOKEN_SHAPE = /^[A-Za-z0-9_-]{32,128}$/;
const GENERATED_LENGTH = TOKEN_PREFIX.length + RANDOM_CHARACTERS + CHECKSUM_CHARACTERS;

/** A seed's token starts with it; it opens nothing but that seed. */
export const SEED_TOKEN_PREFIX = 'sms_';

/** The prefix, 256 random bits as 43 base62 characters, and the CRC-32 of those as 6 more. */
export function generateToken(prefix = TOKEN_PREFIX): string {
  const random = BigInt(`0x${randomBytes(RANDOM_BYTES).toString('hex')}`);
  const body = toBase62(random, RANDOM_CHARACTERS);
  return prefix + body + checksum(body);
}

/** True for 32 to 128 characters of A-Za-z0-9_-; one that starts with `smk_` must carry its checksum too. */
export function isTokenWellFormed(token: string): boolean {
  if (!TOKEN_SHAPE.test(token)) return false;
  if (!token.startsWith(TOKEN_PREFIX)) return true;
  if (token.length !== GENERATED_LENGTH) return false;
  const body = token.slice(TOKEN_PREFIX.length, -CHECKSUM_CHARACTERS);
  return checksum(body) === token.slice(-CHECKSUM_CHARACTERS);
}

/** The start of a generated token, harmless to show; null for a token a person chose, whose randomness is unknown. */
export function tokenHint(token: string): string | null {
  return token.startsWith(TOKEN_PREFIX) ? token.slice(0, HINT_CHARACTERS) : null;
}

function checksum(body: string): string {
  return toBase62(BigInt(crc32(body)), CHECKSUM_CHARACTERS);
}

function toBase62(value: bigint, characters: number): string {
  let rest = value;
  let text = '';
  for (let i = 0; i < characters; i += 1) {
    text = BASE62.charAt(Number(rest % 62n)) + text;
    rest /= 62n;
  }
  return text;
}
