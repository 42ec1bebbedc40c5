// Instances on the wire, and the ways to hand a machine its seed.

import { type Static, Type } from '@sinclair/typebox';
import type { Instance } from '../../domain/instances.ts';
import type { InstanceDetails, InstanceWithToken, NewInstanceRequest } from '../../services/instances-service.ts';
import { Id, SecretKey, Time } from './atoms.ts';

const OptionalTime = Type.Union([Time, Type.Null()], { examples: [...(Time.examples as string[]), null] });
const Version = Type.Integer({ minimum: 1, examples: [3] });
const INSTANCE_ID = 'web-1';
const InstanceId = Type.String({ examples: [INSTANCE_ID] });
const Hostname = Type.String({ examples: ['web-1'] });
const SEED_URL = `https://secrets.example/nocloud/sms_${'0'.repeat(49)}/`;
const DATASOURCE = `ds=nocloud;dsmode=net;s=${SEED_URL}`;

export const InstancePath = Type.Object({
  instance: Type.String({
    description: 'Digits alone are the id; anything else is the exact `instance_id`.',
    examples: [INSTANCE_ID],
  }),
});

export const NewInstanceBody = Type.Object({
  instance_id: Type.String({
    description: 'What cloud-init calls instance-id; unique in the account.',
    examples: [INSTANCE_ID],
  }),
  hostname: Hostname,
  user_data: Type.String({
    description: 'With references; rendered anew from current values at each fetch.',
    examples: ['#cloud-config\npassword: ${{secret.LOGIN | sha512crypt}}\n'],
  }),
  vendor_data: Type.Optional(Type.String({ examples: ['#cloud-config\ntimezone: UTC\n'] })),
  network_config: Type.Optional(Type.String({ examples: ['version: 2\nethernets: {eth0: {dhcp4: true}}\n'] })),
  expires_in: Type.Optional(
    Type.Union([Type.Integer(), Type.String({ pattern: '^(?:0|[1-9][0-9]{0,8})$' })], {
      description:
        'Seconds that the seed stays open after its first fetch, a year at most; absent: until the machine phones home.',
      examples: [3600],
    }),
  ),
  source_cidr: Type.Optional(Type.String({ description: 'Who may fetch it.', examples: ['192.0.2.0/24'] })),
});

const instanceMembers = {
  id: Id,
  instance_id: InstanceId,
  hostname: Hostname,
  expires_in: Type.Union([Type.Integer(), Type.Null()], { examples: [3600, null] }),
  source_cidr: Type.Union([Type.String(), Type.Null()], { examples: ['192.0.2.0/24', null] }),
  created_at: Time,
  first_fetched_at: OptionalTime,
  last_fetched_at: OptionalTime,
  closed_at: OptionalTime,
  closed_reason: Type.Union([Type.String(), Type.Null()], { examples: ['phone-home', null] }),
  phone_home: Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()], {
    description: 'What the machine said of itself: host keys, fqdn.',
    examples: [{ hostname: 'web-1', fqdn: 'web-1.example' }, null],
  }),
};

const bootMembers = {
  seed_url: Type.String({
    description: 'Opens this seed and nothing else; keep it like a password while it is open.',
    examples: [SEED_URL],
  }),
  kernel_command_line: Type.String({ examples: [DATASOURCE] }),
  smbios_serial: Type.String({ description: 'For QEMU and libvirt.', examples: [DATASOURCE] }),
  include: Type.String({
    description: 'User-data for clouds that take nothing else.',
    examples: [`#include\n${SEED_URL}user-data\n`],
  }),
};

export const InstanceAnswer = Type.Object(instanceMembers);
export const InstanceBootAnswer = Type.Object({ ...instanceMembers, ...bootMembers });
export const InstanceDetailsAnswer = Type.Object({
  ...instanceMembers,
  ...Type.Partial(Type.Object(bootMembers)).properties,
  secrets: Type.Array(
    Type.Object({
      value_id: Id,
      secret_key: SecretKey,
      version: Version,
      current_version: Type.Union([Version, Type.Null()], {
        description: 'null when the value is gone.',
        examples: [4, null],
      }),
      first_delivered_at: Time,
      last_delivered_at: Time,
      last_address: Type.String({ examples: ['192.0.2.7'] }),
    }),
    { description: 'What the machine was given.' },
  ),
});

export const HolderAnswer = Type.Object({
  id: Id,
  instance_id: InstanceId,
  hostname: Hostname,
  version: Type.Integer({ description: 'The newest that it was given.', examples: [3] }),
  is_current: Type.Boolean({ examples: [true] }),
  last_delivered_at: Time,
});

export function newInstanceRequest(body: Static<typeof NewInstanceBody>): NewInstanceRequest {
  return {
    instanceId: body.instance_id,
    hostname: body.hostname,
    template: {
      userData: body.user_data,
      vendorData: body.vendor_data ?? '',
      networkConfig: body.network_config ?? '',
    },
    expiresInSeconds: body.expires_in === undefined ? null : Number(body.expires_in),
    sourceCidr: body.source_cidr ?? null,
  };
}

export function instanceAnswer(instance: Instance): Static<typeof InstanceAnswer> {
  return {
    id: instance.id,
    instance_id: instance.instanceId,
    hostname: instance.hostname,
    expires_in: instance.expiresInSeconds,
    source_cidr: instance.sourceCidr,
    created_at: instance.createdAt,
    first_fetched_at: instance.firstFetchedAt,
    last_fetched_at: instance.lastFetchedAt,
    closed_at: instance.closedAt,
    closed_reason: instance.closedReason,
    phone_home: instance.phoneHome,
  };
}

/** `dsmode=net` keeps older cloud-inits from fetching a seed and applying nothing of it. */
export function instanceBootAnswer(
  { instance, token }: InstanceWithToken,
  baseUrl: string,
): Static<typeof InstanceBootAnswer> {
  const seedUrl = `${baseUrl}/nocloud/${token}/`;
  const datasource = `ds=nocloud;dsmode=net;s=${seedUrl}`;
  return {
    ...instanceAnswer(instance),
    seed_url: seedUrl,
    kernel_command_line: datasource,
    smbios_serial: datasource,
    include: `#include\n${seedUrl}user-data\n`,
  };
}

export function instanceDetailsAnswer(details: InstanceDetails, baseUrl: string): Static<typeof InstanceDetailsAnswer> {
  const { instance, token } = details;
  return {
    ...(token === undefined ? instanceAnswer(instance) : instanceBootAnswer({ instance, token }, baseUrl)),
    secrets: details.delivered.map((each) => ({
      value_id: each.valueId,
      secret_key: each.secretKey,
      version: each.version,
      current_version: each.currentVersion,
      first_delivered_at: each.firstDeliveredAt,
      last_delivered_at: each.lastDeliveredAt,
      last_address: each.lastAddress,
    })),
  };
}
