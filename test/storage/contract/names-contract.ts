// Names and keys are exact text to the store: no case folding, no normalisation, no pattern, no syntax.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkListName, checkSecretKey } from '../../../src/domain/names.ts';
import { anyText } from '../../crypto/any-text.ts';
import { allValues, createList, createValue, eventOf, type Stage, sealed, wrapDataKey } from './contract-stage.ts';

const PAIRS_THAT_DIFFER = [
  ['A', 'a'],
  ['É', 'é'],
  ['\u00e9', 'e\u0301'],
  ['\u212b', '\u00c5'],
  ['\ufb01', 'fi'],
  ['ß', 'ss'],
  ['ß', 'ẞ'],
  ['İ', 'i'],
  ['a', 'a\u200b'],
  ['a', 'a\ufe0f'],
  ['a b', 'a  b'],
  ['a', 'a.'],
  ['1', '01'],
  ['1', '１'],
  ['\u{1f600}', '\u{1f601}'],
] as const;

const ORDINARY_NAMES = [
  "'; DROP TABLE secret_lists; --",
  "' OR '1'='1",
  '"double"',
  '`backtick`',
  '[bracket]',
  '%',
  '_',
  'pro%',
  'prod_ction',
  '\\',
  '\\%',
  '*',
  '?',
  '?1',
  ':name',
  '@name',
  '$1',
  '--',
  '/* */',
  ';',
  'NULL',
  'null',
  'true',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'root',
  '.',
  '..',
  '/',
  '%2f',
  '-1',
  '1e3',
  '0x10',
  'a\u202eb',
  '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}',
  'x'.repeat(255),
  '\u{1f600}'.repeat(255),
];

const TEXT = anyText({ minLength: 1, maxLength: 80 });

export function namesContract(stage: () => Stage): void {
  test.each(PAIRS_THAT_DIFFER)('%j and %j are two names', async (one, other) => {
    const { storage, home } = stage();
    const firstList = await createList(stage(), one);
    const secondList = await createList(stage(), other);
    const firstValue = await createValue(stage(), firstList.id, one);
    const secondValue = await createValue(stage(), firstList.id, other);
    expect(await storage.lists.find(home, { name: one })).toEqual(firstList);
    expect(await storage.lists.find(home, { name: other })).toEqual(secondList);
    expect(await storage.values.find(home, { name: one }, { name: one })).toEqual(firstValue);
    expect(await storage.values.find(home, { name: one }, { name: other })).toEqual(secondValue);
  });

  test('names full of SQL, patterns and syntax are ordinary text', async () => {
    const { storage, home } = stage();
    for (const name of ORDINARY_NAMES) {
      const list = await createList(stage(), name);
      const value = await createValue(stage(), list.id, name, name);
      expect(list.name).toBe(name);
      expect(value.secretKey).toBe(name);
    }
    expect((await storage.lists.list(home)).map(({ name }) => name)).toEqual(ORDINARY_NAMES);
    expect((await allValues(storage, home)).map(({ secretKey }) => secretKey)).toEqual(ORDINARY_NAMES);
    for (const name of ORDINARY_NAMES) {
      const found = await storage.values.find(home, { name }, { name });
      expect(Buffer.from(found?.sealedValue ?? []).toString()).toBe(name);
    }
  });

  test('a pattern deletes what is called so, and nothing that it would match', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'production');
    await createValue(stage(), list.id, 'API_KEY');
    for (const name of ['%', 'prod%', 'productio_', '_'.repeat(10)]) {
      expect(await storage.lists.delete(home, { name }, eventOf('list.delete'))).toBe(false);
      expect(await storage.values.delete(home, { id: list.id }, { name }, eventOf('value.delete'))).toBe(false);
    }
    expect(await storage.lists.list(home)).toHaveLength(1);
    expect(await allValues(storage, home)).toHaveLength(1);
  });

  test('names of digits alone are found as names', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), '2024');
    expect(await storage.lists.find(home, { name: '2024' })).toEqual(list);
    expect(await storage.lists.find(home, { name: '2024.0' })).toBeUndefined();
    expect(await storage.lists.find(home, { name: String(list.id) })).toBeUndefined();
  });

  test('every name that the rules accept comes back to the character', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'the list of the values');
    await fc.assert(
      fc.asyncProperty(TEXT, async (text) => {
        const name = checkListName(text);
        const key = checkSecretKey(text);
        fc.pre('text' in name && 'text' in key && name.text !== list.name);
        await storage.lists.delete(home, { name: name.text }, eventOf('list.delete'));
        await storage.values.delete(home, { id: list.id }, { name: key.text }, eventOf('value.delete'));
        const createdList = await createList(stage(), name.text);
        const createdValue = await createValue(stage(), list.id, key.text);
        expect(createdList.name).toBe(name.text);
        expect(createdValue.secretKey).toBe(key.text);
        expect(await storage.lists.find(home, { name: name.text })).toEqual(createdList);
        expect(await storage.values.find(home, { id: list.id }, { name: key.text })).toEqual(createdValue);
      }),
      { numRuns: 60 },
    );
  });

  test('an update finds by the exact key', async () => {
    const { storage, home } = stage();
    const list = await createList(stage(), 'list');
    await createValue(stage(), list.id, 'KEY');
    const reseal = () => ({ secretKey: 'OTHER', ...sealed('x')() });
    for (const name of ['key', 'KEY ', ' KEY', 'KE_', '%']) {
      const updated = await storage.values.update(home, { id: list.id }, { name }, reseal, eventOf('value.update'));
      expect(updated).toBeUndefined();
    }
  });

  test('account names are as exact', async () => {
    const { storage } = stage();
    for (const [one, other] of PAIRS_THAT_DIFFER) {
      const first = await storage.accounts.create(`${one}-account`, wrapDataKey, eventOf('account.create'));
      expect(await storage.accounts.find({ name: `${other}-account` })).toBeUndefined();
      const second = await storage.accounts.create(`${other}-account`, wrapDataKey, eventOf('account.create'));
      expect(await storage.accounts.find({ name: `${one}-account` })).toEqual(first);
      for (const { id } of [first, second]) await storage.accounts.delete({ id }, eventOf('account.delete'));
    }
  });
}
