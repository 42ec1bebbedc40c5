// Secret lists and their values as the services hand them out.

export interface SecretList {
  readonly id: number;
  readonly name: string;
  /** RFC 3339, UTC, milliseconds. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** The clear text of a secret. Exists only between a route and the service that seals or opens it. */
export type PlainValue = string & { readonly plainValue: unique symbol };

/** A sealed secret, as the store keeps it. */
export type SealedValue = Uint8Array & { readonly sealedValue: unique symbol };

/** What a value is apart from its secret; all of it but the times is bound into the seal. */
export interface SecretValueRecord {
  readonly id: number;
  readonly secretListId: number;
  readonly secretKey: string;
  /** 1 for a new value, one more with each update. */
  readonly version: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface SealedSecretValue extends SecretValueRecord {
  readonly sealedValue: SealedValue;
  /** Which of the account's data keys sealed it. */
  readonly dataKeyVersion: number;
}

export interface SecretValue extends SecretValueRecord {
  readonly secretValue: PlainValue;
}
