// A sealed template opens for the instance it was sealed for, and for no other.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SealBrokenError } from '../../src/crypto/envelope.ts';
import { openTemplate, sealTemplate, type TemplateIdentity } from '../../src/crypto/template-seal.ts';
import { openValue, sealValue } from '../../src/crypto/value-seal.ts';
import type { SealedTemplate } from '../../src/domain/instances.ts';
import type { PlainValue, SealedValue } from '../../src/domain/secrets.ts';
import { anyText } from './any-text.ts';
import { keyOf, withFlipped } from './known-keys.ts';

const KEY = keyOf(1);
const IDENTITY: TemplateIdentity = {
  accountId: 3,
  dataKeyVersion: 1,
  id: 12,
  instanceId: 'web-1',
  hostname: 'web.example',
  expiresInSeconds: 3600,
  sourceCidr: null,
};
const TEMPLATE = { userData: '#cloud-config\n', vendorData: '', networkConfig: '', token: 'sms_0' };

function expectBroken(sealed: Uint8Array, identity: TemplateIdentity, key = KEY): void {
  expect(() => openTemplate(key, sealed as SealedTemplate, identity)).toThrow(SealBrokenError);
}

describe('a sealed template', () => {
  test('opens to the same, whatever its texts are and whosever it is', () => {
    const texts = fc.record({ userData: anyText(), vendorData: anyText(), networkConfig: anyText(), token: anyText() });
    const identities = fc.record({
      accountId: fc.maxSafeNat(),
      dataKeyVersion: fc.maxSafeNat(),
      id: fc.maxSafeNat(),
      instanceId: anyText(),
      hostname: anyText(),
      expiresInSeconds: fc.option(fc.maxSafeNat()),
      sourceCidr: fc.option(anyText()),
    });
    fc.assert(
      fc.property(texts, identities, (template, identity) => {
        expect(openTemplate(KEY, sealTemplate(KEY, template, identity), identity)).toEqual(template);
      }),
      { numRuns: 50 },
    );
  });

  const OTHERS: readonly Partial<TemplateIdentity>[] = [
    { accountId: 4 },
    { dataKeyVersion: 2 },
    { id: 13 },
    { instanceId: 'web-2' },
    { instanceId: 'WEB-1' },
    { instanceId: '' },
    { hostname: 'web.example.' },
    { hostname: '' },
    { instanceId: 'web.example', hostname: 'web-1' },
    { instanceId: 'web-1web', hostname: '.example' },
    { accountId: 12, id: 3 },
    { accountId: 1, dataKeyVersion: 3 },
    { expiresInSeconds: null },
    { expiresInSeconds: 7200 },
    { sourceCidr: '' },
    { sourceCidr: '192.0.2.0/24' },
  ];
  test.each(OTHERS)('does not open for an instance with %j instead', (change) => {
    expectBroken(sealTemplate(KEY, TEMPLATE, IDENTITY), { ...IDENTITY, ...change });
  });

  test('does not open when any of its identity changes', () => {
    const sealed = sealTemplate(KEY, TEMPLATE, IDENTITY);
    fc.assert(
      fc.property(fc.constantFrom('accountId', 'dataKeyVersion', 'id'), fc.maxSafeNat(), (field, number) => {
        fc.pre(IDENTITY[field as 'id'] !== number);
        expectBroken(sealed, { ...IDENTITY, [field]: number });
      }),
    );
    fc.assert(
      fc.property(fc.constantFrom('instanceId', 'hostname'), anyText(), (field, text) => {
        fc.pre(IDENTITY[field as 'hostname'] !== text);
        expectBroken(sealed, { ...IDENTITY, [field]: text });
      }),
    );
  });

  test("does not open under another account's key, or with a byte changed", () => {
    const sealed = sealTemplate(KEY, TEMPLATE, IDENTITY);
    expectBroken(sealed, IDENTITY, keyOf(2));
    for (let index = 0; index < sealed.length; index += 1) expectBroken(withFlipped(sealed, index), IDENTITY);
  });

  test('is no sealed value, and a sealed value is no template', () => {
    const value = { accountId: 3, dataKeyVersion: 1, secretListId: 7, id: 12, secretKey: 'web-1', version: 1 };
    expectBroken(sealValue(KEY, JSON.stringify(TEMPLATE) as PlainValue, value), IDENTITY);
    const template = sealTemplate(KEY, TEMPLATE, IDENTITY) as Uint8Array as SealedValue;
    expect(() => openValue(KEY, template, value)).toThrow(SealBrokenError);
  });

  test('has nothing of its texts to be read in it', () => {
    const sealed = Buffer.from(sealTemplate(KEY, TEMPLATE, IDENTITY)).toString('latin1');
    for (const text of ['cloud-config', 'userData', 'sms_0', 'web-1']) expect(sealed).not.toContain(text);
  });
});
