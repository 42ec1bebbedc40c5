// What a check says without values: kinds, keys, size, and where a secret would be seen.

import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { checkUserData } from '../../src/cloud-init/user-data.ts';

function warningsOf(body: string): string[] {
  const { warnings, problems } = checkUserData(Buffer.from(`#cloud-config\n${body}`), () => true);
  expect(problems).toEqual([]);
  return warnings.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

test.each([
  ['runcmd:\n  - echo ${{secret.A}}\n', '3:10 A value in a command is visible to every user'],
  ['bootcmd:\n  - [ sh, -c, "${{secret.A}}" ]\n', '3:16 A value in a command is visible to every user'],
  ['write_files:\n- path: /x\n  content: ${{secret.A}}\n', '4:12 This file is readable by every user (0644)'],
  [
    "write_files:\n- {permissions: '0644', content: '${{secret.A}}'}\n",
    '3:35 The permissions of this file let every user',
  ],
  [
    'write_files:\n- permissions: 0644\n  content: |\n    ${{secret.A}}\n',
    '5:5 The permissions of this file let every user',
  ],
  ['password: ${{secret.A}}\n', '2:11 This password is kept in plain text'],
  ['chpasswd:\n  list:\n  - root:${{secret.A}}\n', '4:10 These passwords are kept in plain text'],
  ['chpasswd:\n  list: |\n    root:${{secret.A}}\n', '4:10 These passwords are kept in plain text'],
  ['chpasswd: {users: [{name: a, type: text, password: ${{secret.A}}}]}\n', '2:52 This password is kept in plain text'],
  ['chpasswd: {users: [{name: a, password: ${{secret.A}}}]}\n', '2:40 A password hash belongs here'],
  ['users:\n- plain_text_passwd: ${{secret.A}}\n', '3:22 This password is kept in plain text'],
  ['users:\n- passwd: ${{secret.A}}\n', '3:11 A password hash belongs here'],
])('%j is warned of', (body, warning) => {
  expect(warningsOf(body)).toEqual([expect.stringContaining(warning)]);
});

test.each([
  "write_files:\n- {path: /x, permissions: '0600', content: '${{secret.A}}'}\n",
  'write_files:\n- path: /x\n  content: "${{secret.A}}"\n  permissions: 0o640\n',
  'write_files:\n- content: none\n  path: ${{secret.A}}\n',
  'password: ${{secret.A | sha512crypt}}\n',
  'chpasswd: {list: ["root:${{secret.A | sha512crypt}}"], users: [{password: "${{secret.A | sha512crypt}}"}]}\n',
  'users: [{passwd: ${{secret.A | sha512crypt}}, name: ${{secret.A}}}]\n',
  'other: {runcmd: ["${{secret.A}}"], password: ${{secret.A}}}\n',
  'runcmd: [echo $${{secret.A}}]\n',
])('%j is nothing to warn of', (body) => {
  expect(warningsOf(body)).toEqual([]);
});

test.each([
  ['#!/bin/sh', 'script'],
  [' \n#!x', 'script'],
  ['#Cloud-Config', 'cloud-config'],
  ['#cloud-config-archive', 'cloud-config-archive'],
  ['#cloud-config-jsonp', 'cloud-config-jsonp'],
  ['#include', 'include'],
  ['#include-once', 'include'],
  ['#cloud-boothook', 'boothook'],
  ['#part-handler', 'part-handler'],
  ['## template: jinja', 'jinja'],
  ['Content-Type: text/plain\nMIME-VERSION: 1.0\n\n', 'mime'],
  ['#!/bin/sh\nMIME-Version: 1.0', 'script'],
  ['anything', 'text'],
])('%j is a %s', (text, kind) => {
  expect(checkUserData(Buffer.from(text), () => true)).toMatchObject({ kind, isPacked: false });
  expect(checkUserData(gzipSync(text), () => true)).toMatchObject({ kind, isPacked: true });
});

test('missing keys are named once, and each place is a problem', () => {
  const document = Buffer.from('#cloud-config\na: ${{secret.A}}\nb: ${{secret.B}}\nc: ${{secret.A | sha512crypt}}\n');
  const check = checkUserData(document, (key) => key === 'B');
  expect(check.missingKeys).toEqual(['A']);
  expect(check.problems.map(({ line }) => line)).toEqual([2, 4]);
  expect(check.references).toHaveLength(3);
});

test('the size is held against the 16 KiB that clouds take', () => {
  const document = Buffer.alloc(16_384, '#!/bin/sh\n');
  expect(checkUserData(document, () => true)).toMatchObject({ bytes: 16_384, fitsClouds: true });
  expect(checkUserData(Buffer.concat([document, document]), () => true)).toMatchObject({ fitsClouds: false });
});

test('a URL with a secret in it is warned of, because cloud-init logs it', () => {
  const { warnings } = checkUserData(Buffer.from('#include\nhttps://x/${{secret.A}}\n'), () => true);
  expect(warnings).toMatchObject([{ line: 2, column: 11 }]);
});
