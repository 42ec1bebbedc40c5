// The model of a disk that the replay of power cuts rests on: what was synced stays, what wasn't may go.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createDisk } from './disk-after-cut.ts';
import { type DiskTrace, readDiskTrace } from './disk-trace.ts';
import { createRandom } from './seeded-random.ts';

const TRIES = 200;

const hex = (text: string) => Buffer.from(text).toString('hex').replace(/../g, '\\x$&');
const text = (content: string) => `"${hex(content)}"`;
const descriptor = (number: number, name: string) => `${number}<${hex(`/data${name && '/'}${name}`)}>`;
const path = (name: string) => text(`/data/${name}`);

const create = (name: string) => `7 openat(AT_FDCWD<${hex('/')}>, ${path(name)}, O_RDWR|O_CREAT, 0600) = 5`;
const write = (name: string, content: string, offset: number) =>
  `7 pwrite64(${descriptor(5, name)}, ${text(content)}, ${content.length}, ${offset}) = ${content.length}`;
const sync = (name: string) => `7 fsync(${descriptor(5, name)}) = 0`;
const unlink = (name: string) => `7 unlink(${path(name)}) = 0`;
const syncDirectory = sync('');

function traceOf(...lines: string[]): DiskTrace {
  const file = join(temporaryDirectory(), 'trace');
  writeFileSync(file, lines.join('\n'));
  return readDiskTrace(file, '/data');
}

/** All that may be there after the last line, each once. */
function possible(...lines: string[]): Set<string> {
  const trace = traceOf(...lines);
  const random = createRandom(1);
  const seen = new Set<string>();
  for (let i = 0; i < TRIES; i += 1) {
    const files = createDisk(trace).afterCut(trace.length, random);
    seen.add([...files].map(([name, content]) => `${name}=${content.toString()}`).join(' '));
  }
  return seen;
}

test('a file that was synced, and its directory too, is there', () => {
  expect(possible(create('a'), write('a', 'one', 0), sync('a'), syncDirectory)).toEqual(new Set(['a=one']));
});

test('a file whose directory was not synced may be gone', () => {
  expect(possible(create('a'), write('a', 'one', 0), sync('a'))).toEqual(new Set(['a=one', '']));
});

test('a write that was not synced may be there, or gone, in any order', () => {
  const states = possible(
    create('a'),
    syncDirectory,
    write('a', 'one', 0),
    sync('a'),
    write('a', 'X', 0),
    write('a', 'Y', 2),
  );
  expect(states).toEqual(new Set(['a=one', 'a=Xne', 'a=onY', 'a=XnY']));
});

test('a write that was not synced may be torn between sectors, and nowhere else', () => {
  const contents = [...possible(create('a'), syncDirectory, write('a', 'x'.repeat(1500), 100))];
  const borders = new Set(
    contents.flatMap((content) => [...content.matchAll(/x(?=\0)|\0(?=x)/g)].map(({ index }) => index - 1)),
  );
  expect([...borders].sort((a, b) => a - b)).toEqual([100, 512, 1024, 1536]);
});

test('a sync covers only what was over when it began', () => {
  const [begin = '', end = ''] = sync('a').split(') = ');
  const states = possible(
    create('a'),
    syncDirectory,
    `${begin} <unfinished ...>`,
    write('a', 'one', 0).replace(/^7/, '8'),
    `7 <... fsync resumed>) = ${end}`,
  );
  expect(states).toContain('a=');
});

test('a rename takes the content along, and both names are as before until the directory is synced', () => {
  const old = [create('b'), write('b', 'old', 0), sync('b'), syncDirectory];
  const renamed = [create('a'), write('a', 'new', 0), sync('a'), `7 rename(${path('a')}, ${path('b')}) = 0`];
  expect(possible(...old, ...renamed, syncDirectory)).toEqual(new Set(['b=new']));
  expect(possible(...old, ...renamed)).toContain('b=old');
});

test('a removed file may be back until the directory is synced', () => {
  const lines = [create('a'), write('a', 'one', 0), sync('a'), syncDirectory, unlink('a')];
  expect(possible(...lines)).toEqual(new Set(['a=one', '']));
  expect(possible(...lines, syncDirectory)).toEqual(new Set(['']));
});

test('what was cut to a size and written again has zeros between', () => {
  const lines = [
    create('a'),
    write('a', 'old content', 0),
    `7 ftruncate(${descriptor(5, 'a')}, 1) = 0`,
    write('a', 'x', 3),
  ];
  expect(possible(...lines, sync('a'), syncDirectory)).toEqual(new Set(['a=o\0\0x']));
});

test('an answer is known by its request id, from when it begins to leave', () => {
  const id = '01234567-89ab-cdef-0123-456789abcdef';
  const answer = `HTTP/1.1 200 OK\r\ncontent-type: x\r\nx-request-id: ${id}\r\n\r\n{}`;
  const socket = `9<${hex('socket:[1]')}>`;
  const { answers } = traceOf(create('a'), `7 write(${socket}, ${text(answer)}, 9) = ?`);
  expect([...answers]).toEqual([[id, 1]]);
});

test.each([
  ['a way that it does not know', `7 fallocate(${descriptor(5, 'a')}, 0, 0, 9) = 0`],
  ['memory', `7 mmap(NULL, 9, PROT_READ|PROT_WRITE, MAP_SHARED, ${descriptor(5, 'a')}, 0) = 0x7f0000000000`],
])('a file that is changed by %s is refused rather than overlooked', (_, line) => {
  expect(() => traceOf(create('a'), line)).toThrow('cannot be replayed');
});
