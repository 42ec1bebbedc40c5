// Sealed values are bytes to the store: they come back as they were.

import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_SECRET_VALUE_BYTES } from '../../../src/domain/limits.ts';
import { allValues, createList, createValue, eventOf, hex, type Stage, sealed } from './contract-stage.ts';

export function blobsContract(stage: () => Stage): void {
  test('come back equal, from 0 bytes to more than the longest secret', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'list');
    const sizes = [0, 1, 29, 4_096, 65_537, MAX_SECRET_VALUE_BYTES, MAX_SECRET_VALUE_BYTES + 29];
    for (const size of sizes) {
      const blob = randomBytes(size);
      const created = await createValue(stage(), list.id, `SIZE ${size}`, blob);
      const found = await storage.values.find(home, { id: list.id }, { name: `SIZE ${size}` });
      expect(blob.equals(created.sealedValue)).toBe(true);
      expect(blob.equals(found?.sealedValue as Uint8Array)).toBe(true);
    }
    expect((await allValues(storage, home)).map(({ sealedValue }) => sealedValue.length)).toEqual(sizes);
  });

  test('of any bytes come back equal after a creation and after an update', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'list');
    await createValue(stage(), list.id, 'KEY');
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        const reseal = () => ({ secretKey: 'KEY', ...sealed(bytes)() });
        const place = [home, { id: list.id }, { name: 'KEY' }] as const;
        const updated = await storage.values.update(...place, reseal, eventOf('value.update'));
        const found = await storage.values.find(...place);
        expect(hex(updated?.sealedValue)).toBe(hex(bytes));
        expect(hex(found?.sealedValue)).toBe(hex(bytes));
      }),
      { numRuns: 50 },
    );
  });
}
