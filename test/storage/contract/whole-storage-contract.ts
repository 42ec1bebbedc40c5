// The contract of Storage itself: being asked whether it can be written to, and being closed.

import { expect, test } from 'vitest';
import { createList, type Stage } from './contract-stage.ts';

export function storageContract(stage: () => Stage): void {
  test('says that it can be written to', async () => {
    await expect(stage().storage.checkWritable()).resolves.toBeUndefined();
  });

  test('closes only when what was asked for is done', async () => {
    const { storage } = stage();
    const changes = Promise.all(Array.from({ length: 20 }, (_, i) => createList(stage(), `list ${i}`)));
    await storage.close();
    expect(await changes).toHaveLength(20);
  });

  test('refuses everything once it is closed', async () => {
    const { storage, home } = stage();
    await storage.close();
    await expect(storage.lists.list(home)).rejects.toThrow();
    await expect(createList(stage(), 'late')).rejects.toThrow();
    await expect(storage.checkWritable()).rejects.toThrow();
  });
}
