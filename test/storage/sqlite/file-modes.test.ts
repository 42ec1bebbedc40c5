// What a server writes is for its own user alone, whatever the umask it was started with.

import { chmodSync, chownSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { prepareDataDirectory } from '../../../src/files/data-directory.ts';
import { startServerProcess } from '../../support/server-process.ts';
import { freshDirectory } from './store-directories.ts';

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

describe('a server started with umask 000', () => {
  test('makes its directory 0700 and every file in it 0600, the write-ahead log included', async () => {
    const directory = join(freshDirectory(), 'new', 'data');
    const umask = process.umask(0o000);
    const starting = startServerProcess({ SECRET_MANAGER_DATA_DIR: directory });
    process.umask(umask);
    const server = await starting;
    onTestFinished(() => void server.child.kill('SIGKILL'));
    expect((await server.fetch('/api/secrets/lists', { method: 'POST' })).status).toBe(200);
    expect(modeOf(directory)).toBe('700');
    const modes = Object.fromEntries(readdirSync(directory).map((name) => [name, modeOf(join(directory, name))]));
    expect(modes).toEqual({
      head: '600',
      reserve: '600',
      'root.key': '600',
      'secret-manager.db': '600',
      'secret-manager.db-shm': '600',
      'secret-manager.db-wal': '600',
      'server.lock': '600',
    });
  });
});

describe('a data directory', () => {
  test('that is there already is closed to others by the user who owns it', () => {
    const directory = join(freshDirectory(), 'open');
    mkdirSync(directory);
    for (const mode of [0o755, 0o777, 0o770]) {
      chmodSync(directory, mode);
      prepareDataDirectory(directory);
      expect(modeOf(directory)).toBe('700');
    }
  });

  test.runIf(process.getuid?.() === 0)('that belongs to somebody else keeps its mode', () => {
    const directory = join(freshDirectory(), 'theirs');
    mkdirSync(directory);
    chmodSync(directory, 0o755);
    chownSync(directory, 12_345, 12_345);
    prepareDataDirectory(directory);
    expect(modeOf(directory)).toBe('755');
  });

  test('that is a file is refused in one sentence', () => {
    const path = join(freshDirectory(), 'file');
    writeFileSync(path, '');
    for (const directory of [path, join(path, 'below')]) {
      expect(() => prepareDataDirectory(directory)).toThrow(
        expect.objectContaining({ name: 'OperatorError', kind: 'storage', message: expect.stringContaining(path) }),
      );
    }
  });
});
