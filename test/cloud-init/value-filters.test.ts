// Filters, against the programs that read what they write.

import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sha512Crypt } from '../../src/cloud-init/sha512-crypt.ts';
import { applyFilter, type FILTERS } from '../../src/cloud-init/value-filters.ts';
import { hasCrypt, startReadBack } from '../support/read-back.ts';
import { HOSTILE_VALUES, refusals, rendered } from '../support/rendering.ts';

function filtered(filter: (typeof FILTERS)[number], value: string): string {
  const result = applyFilter(filter, value);
  if ('problem' in result) throw new Error(result.problem);
  return result.text;
}

test('a real shell reads every `sh` word as one argument of exactly the value', () => {
  const values = HOSTILE_VALUES.filter((value) => !value.includes('\0'));
  const script = values.map((value) => `printf '%s\\0' ${filtered('sh', value)}`).join('\n');
  const read = execFileSync('/bin/sh', ['-s'], { input: script }).toString().split('\0');
  expect(read.slice(0, -1)).toEqual(values);
});

test('`b64` is the base64 of the UTF-8 bytes, `json` a JSON string that ends no line', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      fc.pre(value.isWellFormed());
      expect(Buffer.from(filtered('b64', value), 'base64').toString()).toBe(value);
      expect(JSON.parse(filtered('json', value))).toBe(value);
      expect(filtered('json', value)).not.toMatch(/[\n\r\u2028\u2029]/);
    }),
  );
});

test('a value that a filter cannot take is a problem that tells the key and not the value', () => {
  const text = '#!/bin/sh\n${{secret.A | sh}} ${{secret.A | sha512crypt}} ${{secret.L | sha512crypt}}\n';
  const found = refusals(text, { A: 'canary\0\n', L: 'canary'.repeat(100) });
  expect(found).toEqual([
    '2:1 The value of "A" has a NUL character in it, which no shell word can hold.',
    '2:20 The value of "A" has a NUL or a line break in it, which nobody can type at a login.',
    '2:48 The value of "L" is longer than the 511 bytes that crypt(3) takes for a password.',
  ]);
});

// Vectors after the specification's, each as glibc's crypt(3) gives it: salt as given, rounds, password, hash.
test.each([
  [
    'saltstring',
    undefined,
    'Hello world!',
    '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
  ],
  [
    'saltstringsaltstring',
    10_000,
    'Hello world!',
    '$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.',
  ],
  [
    'toolongsaltstring',
    5_000,
    'This is just a test',
    '$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0',
  ],
  [
    'anotherlongsaltstring',
    1_400,
    'a very much longer text to encrypt.  This one even stretches over morethan one line.',
    '$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1',
  ],
  [
    'short',
    77_777,
    'we have a short salt string but not a short password',
    '$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0',
  ],
  [
    'asaltof16chars..',
    123_456,
    'a short string',
    '$6$rounds=123456$asaltof16chars..$BtCwjqMJGx5hrJhZywWvt0RLE8uZ4oPwcelCjmw2kSYu.Ec6ycULevoBK25fs2xXgMNrCzIMVcgEJAstJeonj1',
  ],
] as const)('SHA-512-crypt gives the hash of crypt(3) for the salt %s', (salt, rounds, password, expected) => {
  const hash = sha512Crypt(password, rounds === undefined ? { salt } : { salt, rounds });
  expect(hash).toBe(expected);
});

test.skipIf(!hasCrypt)('crypt(3) of the system agrees for every length around a block, and for any text', async () => {
  const { crypt } = startReadBack();
  const lengths = [0, 1, 16, 63, 64, 65, 128, 129, 511];
  const passwords = [...lengths.map((length) => 'p'.repeat(length)), 'pässwörd 🔑', '\x01\x7f\t'];
  for (const password of passwords) {
    const hash = sha512Crypt(password);
    expect(hash).toMatch(/^\$6\$[./0-9A-Za-z]{16}\$[./0-9A-Za-z]{86}$/);
    expect(await crypt(password, hash)).toBe(hash);
  }
});

test('each hash has a salt of its own, and there is a limit to how many one document has', () => {
  const line = '${{secret.A | sha512crypt}}\n';
  const [first, second] = rendered(line.repeat(2), { A: 'password' }).split('\n');
  expect(first).not.toBe(second);
  expect(refusals(line.repeat(33), { A: 'p' })).toEqual([
    '33:1 The value of "A" would be password hash number 33; use fewer.',
  ]);
});
