// Which addresses count as one.

import { describe, expect, test } from 'vitest';
import { addressBlock, plainAddress } from '../../src/services/address-block.ts';

describe('an address counts', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['2001:db8:1::5:6', '2001:db8:1:0::/64'],
    ['2001:0DB8:0001:0002::1', '2001:db8:1:2::/64'],
    ['1::', '1:0:0:0::/64'],
    ['::2:3:4:5:6:7:8', '0:2:3:4::/64'],
    ['1:2:3:4:5:6:7::', '1:2:3:4::/64'],
    ['1:2:3:4:5:6:192.0.2.7', '1:2:3:4::/64'],
    ['64:ff9b::192.0.2.7', '64:ff9b:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', ''],
    [undefined, ''],
    ['not an address', 'not an address'],
  ])('%s as %s', (address, block) => {
    expect(addressBlock(address)).toBe(block);
  });

  test('as another one where the first 64 bits differ', () => {
    const blocks = ['2001:db8:1:2::', '2001:db8:1:3::', '2001:db8:2:2::', '192.0.2.7', '192.0.2.8'].map(addressBlock);
    expect(new Set(blocks).size).toBe(5);
  });
});

test('IPv4 in IPv6 is IPv4, and nothing else changes', () => {
  expect(['::ffff:192.0.2.7', '192.0.2.7', '::1', '::ffff:1', ''].map(plainAddress)).toEqual([
    '192.0.2.7',
    '192.0.2.7',
    '::1',
    '::ffff:1',
    '',
  ]);
});
