// The files of a NoCloud seed that are ours: meta-data, vendor-data that phones home, and the tombstone of a closed
// one. Source: cloud-init's documentation of the NoCloud datasource and of the phone_home module.

import { randomBytes } from 'node:crypto';
import { type DocumentKind, kindOfDocument } from './document-kinds.ts';

/** What a network-config is, though nothing in it says so. */
export const NETWORK_CONFIG_KIND = 'cloud-config' satisfies DocumentKind;

export const SEED_FILES = ['meta-data', 'user-data', 'vendor-data', 'network-config'] as const;
export type SeedFile = (typeof SEED_FILES)[number];

/** What phone_home may send; anything else is not kept. */
export const PHONE_HOME_FIELDS = [
  'instance_id',
  'hostname',
  'fqdn',
  'pub_key_rsa',
  'pub_key_ecdsa',
  'pub_key_ed25519',
] as const;

/** A closed seed says the same of the machine and asks nothing of it, so that it keeps its identity and host keys. */
export const CLOSED_USER_DATA = '#cloud-config\n{}\n';

/** JSON, which is YAML. */
export function metaData(instanceId: string, hostname: string): string {
  return `${yamlSafeJson({ 'instance-id': instanceId, 'local-hostname': hostname })}\n`;
}

/** Closes the seed when the machine is up, and keeps cloud-init from asking for it at every boot. */
export function phoneHomeConfig(phoneHomeUrl: string): string {
  const config = { manual_cache_clean: true, phone_home: { url: phoneHomeUrl, post: PHONE_HOME_FIELDS, tries: 10 } };
  return `#cloud-config\n${yamlSafeJson(config)}\n`;
}

/** Both configurations as one document; where both say something of the same thing, the user's own comes first. */
export function mergeVendorData(own: string, phoneHome: string): string {
  if (own.trim() === '') return phoneHome;
  const boundary = `==${randomBytes(16).toString('hex')}==`;
  // A message is a part with its own headers; cloud-init would take one that is wrapped as text for nothing.
  const parts = [kindOfDocument(own) === 'mime' ? own : textPart(own), textPart(phoneHome)];
  const body = parts.map((part) => `--${boundary}\n${part}\n`).join('');
  return `Content-Type: multipart/mixed; boundary="${boundary}"\nMIME-Version: 1.0\n\n${body}--${boundary}--\n`;
}

function textPart(text: string): string {
  return `Content-Type: text/plain; charset="utf-8"\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\n${base64Lines(text)}`;
}

/** PyYAML reads JSON, but not its escapes beyond the BMP: those characters stay as they are. */
function yamlSafeJson(value: unknown): string {
  return JSON.stringify(value).replace(/[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

function base64Lines(text: string): string {
  return Buffer.from(text)
    .toString('base64')
    .replace(/.{76}(?=.)/g, '$&\n');
}
