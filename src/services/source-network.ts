// The network that a seed may be fetched from: read from its text, and held against an address.

import { BlockList, isIP, isIPv4 } from 'node:net';
import { plainAddress } from './address-block.ts';

/** A network in CIDR notation, or an address alone, which is a network of its own. */
export function isNetwork(text: string): boolean {
  return parseNetwork(text) !== undefined;
}

/** False for an address of another family, and for a text that is no network. IPv4 in IPv6 is IPv4. */
export function isInNetwork(address: string, network: string): boolean {
  const parsed = parseNetwork(network);
  const plain = plainAddress(address);
  if (parsed === undefined || isIP(plain) === 0) return false;
  const allowed = new BlockList();
  allowed.addSubnet(parsed.address, parsed.prefix, parsed.type);
  return allowed.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6');
}

function parseNetwork(text: string) {
  const [address = '', prefixText, ...rest] = text.split('/');
  const family = isIP(address);
  const bits = family === 4 ? 32 : 128;
  const prefix = prefixText === undefined ? bits : Number(/^\d{1,3}$/.test(prefixText) ? prefixText : Number.NaN);
  if (family === 0 || rest.length > 0 || !(prefix <= bits)) return undefined;
  return { address, prefix, type: family === 4 ? ('ipv4' as const) : ('ipv6' as const) };
}
