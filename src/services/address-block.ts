// What counts as one address: an IPv4 address, or the /64 network that one IPv6 customer has. IPv4 in IPv6 is IPv4.

import { isIPv4, isIPv6 } from 'node:net';

const GROUPS = 8;
const NETWORK_GROUPS = 4;

/** An IPv4 address written as IPv6 in plain; any other text as it is. A connection that is gone has no address. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  return address.startsWith('::ffff:') && isIPv4(address.slice(7)) ? address.slice(7) : address;
}

/** A text that is the same for all addresses that count as one; what is no address counts as itself. */
export function addressBlock(address: string | undefined): string {
  const plain = plainAddress(address);
  if (!isIPv6(plain)) return plain;
  return `${groupsOf(plain).slice(0, NETWORK_GROUPS).join(':')}::/64`;
}

/** The groups of an IPv6 address without leading zeros, those that `::` stands for too. */
function groupsOf(address: string): string[] {
  const [start = '', end] = address.replace(/%.*$/, '').split('::');
  const before = splitGroups(start);
  const after = splitGroups(end ?? '');
  const zeros = Array<string>(Math.max(0, GROUPS - before.length - after.length)).fill('0');
  return [...before, ...zeros, ...after];
}

/** IPv4 at the end stands for two groups; which, no network of 64 bits depends on. */
function splitGroups(text: string): string[] {
  if (text === '') return [];
  return text
    .split(':')
    .flatMap((group) => (group.includes('.') ? ['0', '0'] : [Number.parseInt(group, 16).toString(16)]));
}
