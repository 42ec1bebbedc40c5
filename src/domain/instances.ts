// Machines that boot from a seed of this server, and what they were given.

/** What a seed is made from. Text with references; a missing file is an empty one. */
export interface InstanceTemplate {
  readonly userData: string;
  readonly vendorData: string;
  readonly networkConfig: string;
}

export type ClosedReason = 'phone-home' | 'deleted';

/** What a machine said of itself when it phoned home. */
export type PhoneHomeReport = Readonly<Record<string, string>>;

export interface Instance {
  readonly id: number;
  readonly accountId: number;
  /** What cloud-init calls `instance-id`; unique in the account among instances that are not deleted. */
  readonly instanceId: string;
  readonly hostname: string;
  /** How long the seed stays open after its first fetch; null until the machine phones home. */
  readonly expiresInSeconds: number | null;
  /** Addresses that may fetch the seed; null is any. */
  readonly sourceCidr: string | null;
  readonly createdAt: string;
  readonly firstFetchedAt: string | null;
  readonly lastFetchedAt: string | null;
  readonly closedAt: string | null;
  readonly closedReason: ClosedReason | null;
  readonly phoneHome: PhoneHomeReport | null;
}

/** Open until it is closed, or until its time after the first fetch is over. `now` in milliseconds since 1970. */
export function isSeedOpen({ closedAt, firstFetchedAt, expiresInSeconds }: Instance, now: number): boolean {
  if (closedAt !== null) return false;
  if (firstFetchedAt === null || expiresInSeconds === null) return true;
  return now < Date.parse(firstFetchedAt) + expiresInSeconds * 1000;
}

export type SealedTemplate = Uint8Array & { readonly sealedTemplate: unique symbol };

/** `sealedTemplate` is null for a deleted one. */
export interface StoredInstance extends Instance {
  readonly sealedTemplate: SealedTemplate | null;
  readonly dataKeyVersion: number;
}

/** A value in a version that a machine was given. */
export interface DeliveredSecret {
  readonly valueId: number;
  readonly secretKey: string;
  readonly version: number;
  readonly firstDeliveredAt: string;
  readonly lastDeliveredAt: string;
  readonly lastAddress: string;
  /** The value's version now; null when it is gone. */
  readonly currentVersion: number | null;
}

/** A machine that holds a value, in the newest version it was given. */
export interface SecretHolder {
  readonly id: number;
  readonly instanceId: string;
  readonly hostname: string;
  readonly version: number;
  readonly lastDeliveredAt: string;
}
