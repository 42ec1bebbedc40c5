// Accounts and the API keys that open them.

export interface Account {
  readonly id: number;
  readonly name: string;
  readonly createdAt: string;
}

/** The account of the first start; the one the command line means when none is named. */
export const DEFAULT_ACCOUNT_NAME = 'default';

/** `write` includes reading. */
export type Right = 'read' | 'write';
export const RIGHTS = ['read', 'write'] as const satisfies readonly Right[];

export interface ApiKey {
  readonly id: number;
  readonly accountId: number;
  readonly name: string;
  /** The first characters of a generated token, to recognise it by; null for one that a person chose. */
  readonly hint: string | null;
  readonly rights: Right;
  readonly createdAt: string;
  /** From this moment on the key is refused; null is never. */
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
}

/** An API key with what proves it: the keyed hash of its token, and the seal over the row. */
export interface StoredApiKey extends ApiKey {
  readonly tokenHash: Uint8Array;
  readonly rowMac: Uint8Array;
}
