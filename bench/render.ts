// npm run bench: how long user-data takes to render, by size and number of references; medians, on one thread.

import { cpus } from 'node:os';
import { sha512Crypt } from '../src/cloud-init/sha512-crypt.ts';
import { renderUserData } from '../src/cloud-init/user-data.ts';

const ROUNDS = 7;
/** Small documents are measured warm, as a server meets them. */
const MANY_ROUNDS = 200;
const SMALL_BYTES = 100_000;
const VALUE = 'a value: with # what YAML minds, and "quotes"\n';

interface Case {
  readonly name: string;
  readonly document: Buffer;
  readonly references: number;
}

function cloudConfig(bytes: number, referenceEvery: number): Case['document'] {
  const lines = ['#cloud-config', 'write_files:'];
  let size = 0;
  for (let i = 0; size < bytes; i += 1) {
    const content = referenceEvery > 0 && i % referenceEvery === 0 ? `key=\${{secret.KEY}}` : 'key=an ordinary line';
    const file = `- path: /etc/app/file-${i}.conf\n  permissions: '0600'\n  content: |\n    # file ${i}\n    ${content}\n`;
    lines.push(file.trimEnd());
    size += file.length;
  }
  return Buffer.from(`${lines.join('\n')}\n`);
}

function caseOf(name: string, document: Buffer): Case {
  return { name, document, references: document.toString().split('${{secret.').length - 1 };
}

function multipart(document: Buffer): Buffer {
  const head =
    'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/cloud-config\n\n';
  return Buffer.concat([Buffer.from(head), document, Buffer.from('\n--b--\n')]);
}

function medianMs(document: Buffer): number {
  const times: number[] = [];
  const rounds = document.length < SMALL_BYTES ? MANY_ROUNDS : ROUNDS;
  for (let i = 0; i < rounds; i += 1) {
    const startedAt = performance.now();
    const result = renderUserData(document, () => VALUE);
    times.push(performance.now() - startedAt);
    if ('problems' in result) throw new Error(JSON.stringify(result.problems[0]));
  }
  return times.toSorted((a, b) => a - b)[Math.floor(rounds / 2)] ?? Number.NaN;
}

const CASES: readonly Case[] = [
  caseOf('2 KB', cloudConfig(2_000, 2)),
  caseOf('2 KB', cloudConfig(2_000, 0)),
  caseOf('64 KB', cloudConfig(64_000, 1)),
  caseOf('64 KB', cloudConfig(64_000, 0)),
  caseOf('1 MB', cloudConfig(1_000_000, 2)),
  caseOf('1 MB', cloudConfig(1_000_000, 1_000_000)),
  caseOf('1 MB', cloudConfig(1_000_000, 0)),
  caseOf(
    '1 MB script',
    Buffer.from(`#!/bin/sh\n${'echo ${{secret.KEY | sh}}; echo an ordinary line here, to fill\n'.repeat(9_000)}`),
  ),
  caseOf('1 MB in MIME', multipart(cloudConfig(1_000_000, 2))),
];

console.log(`Node ${process.version}, ${cpus().length} cores, ${cpus()[0]?.model}; medians`);
for (const { name, document, references } of CASES) {
  const ms = medianMs(document).toFixed(1).padStart(8);
  console.log(
    `${name.padEnd(16)} ${String(document.length).padStart(9)} bytes ${String(references).padStart(6)} references ${ms} ms`,
  );
}

const startedAt = performance.now();
for (let i = 0; i < ROUNDS; i += 1) sha512Crypt('a password of ordinary length');
console.log(`one password hash (sha512crypt) takes ${((performance.now() - startedAt) / ROUNDS).toFixed(1)} ms`);
