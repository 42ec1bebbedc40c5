// The $6$ hash of crypt(3), which chpasswd and /etc/shadow take: Ulrich Drepper, "Unix crypt using SHA-256 and
// SHA-512", https://www.akkadia.org/drepper/SHA-crypt.txt. Step numbers below are that paper's.

import { Buffer } from 'node:buffer';
import { hash, randomBytes } from 'node:crypto';

const DIGEST_BYTES = 64;
const DEFAULT_ROUNDS = 5_000;
const SALT_CHARACTERS = 16;
const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

export interface CryptOptions {
  /** Up to 16 characters of ./0-9A-Za-z; random when absent. */
  readonly salt?: string;
  /** 1,000 to 999,999,999; said in the hash when given, 5,000 unsaid when absent. */
  readonly rounds?: number;
}

/** Hashes a password as crypt(3) does. Its work grows with the square of the password's length: bound that first. */
export function sha512Crypt(password: string, options: CryptOptions = {}): string {
  const salt = (options.salt ?? randomSalt()).slice(0, SALT_CHARACTERS);
  const prefix = options.rounds === undefined ? '' : `rounds=${options.rounds}$`;
  const digest = stretch(Buffer.from(password), Buffer.from(salt), options.rounds ?? DEFAULT_ROUNDS);
  return `$6$${prefix}${salt}$${encodeDigest(digest)}`;
}

function randomSalt(): string {
  return Array.from(randomBytes(SALT_CHARACTERS), (byte) => ALPHABET[byte % ALPHABET.length]).join('');
}

function stretch(password: Buffer, salt: Buffer, rounds: number): Buffer {
  // Steps 1 to 12
  const second = sha512(password, salt, password);
  const blocks: Buffer[] = [password, salt, repeatTo(second, password.length)];
  for (let bits = password.length; bits > 0; bits >>>= 1) blocks.push(bits & 1 ? second : password);
  let digest = sha512(...blocks);
  // Steps 13 to 20
  const passwordSequence = repeatTo(sha512(...copies(password, password.length)), password.length);
  const saltSequence = repeatTo(sha512(...copies(salt, 16 + (digest[0] ?? 0))), salt.length);
  // Step 21
  for (let round = 0; round < rounds; round += 1) {
    const isOdd = round % 2 === 1;
    digest = sha512(
      isOdd ? passwordSequence : digest,
      round % 3 === 0 ? NOTHING : saltSequence,
      round % 7 === 0 ? NOTHING : passwordSequence,
      isOdd ? digest : passwordSequence,
    );
  }
  return digest;
}

const NOTHING = Buffer.alloc(0);

function sha512(...blocks: Buffer[]): Buffer {
  return hash('sha512', Buffer.concat(blocks), 'buffer');
}

function copies(block: Buffer, count: number): Buffer[] {
  return Array.from({ length: count }, () => block);
}

function repeatTo(digest: Buffer, bytes: number): Buffer {
  return Buffer.alloc(bytes, digest);
}

/** Step 22: three bytes become four characters, low bits first; the order of the bytes is fixed by the paper. */
function encodeDigest(digest: Buffer): string {
  let text = '';
  for (let i = 0, [a, b, c] = [0, 21, 42]; i < 21; i += 1, [a, b, c] = [b + 1, c + 1, a + 1]) {
    text += encodeBits((byteAt(digest, a) << 16) | (byteAt(digest, b) << 8) | byteAt(digest, c), 4);
  }
  return text + encodeBits(byteAt(digest, DIGEST_BYTES - 1), 2);
}

function byteAt(digest: Buffer, index: number): number {
  return digest[index] ?? 0;
}

function encodeBits(bits: number, characters: number): string {
  let text = '';
  for (let i = 0, left = bits; i < characters; i += 1, left >>>= 6) text += ALPHABET[left & 0x3f];
  return text;
}
