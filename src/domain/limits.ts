// Every number that bounds what the server accepts. Counted in the unit the name says.

/** Characters (Unicode code points) of a list name, after trimming. */
export const MAX_LIST_NAME_CHARACTERS = 255;
/** Characters (Unicode code points) of a secret key, after trimming. */
export const MAX_SECRET_KEY_CHARACTERS = 255;
/** Bytes of UTF-8 of a secret value. */
export const MAX_SECRET_VALUE_BYTES = 1_048_576;
/** Bytes of a request body; more is answered with 413. */
export const MAX_BODY_BYTES = 4_194_304;
/** Nested arrays and objects in a JSON body; nothing this API takes is deeper than one. */
export const MAX_JSON_DEPTH = 64;
/** Characters of a request target; more is answered with 414. */
export const MAX_URL_CHARACTERS = 8_192;
/** Bytes of request line and headers together; more is answered with 431. */
export const MAX_HEADER_BYTES = 16_384;
/** Characters of an account's or an API key's name, after trimming. */
export const MAX_LABEL_CHARACTERS = 100;
/** Bytes of user-data to render, as sent and once more when unpacked. */
export const MAX_USER_DATA_BYTES = 1_048_576;
/** Bytes of user-data once rendered; also all values put into it together. */
export const MAX_RENDERED_BYTES = 4_194_304;
/** References in one user-data document, escapes and malformed ones included. */
export const MAX_REFERENCES = 10_000;
/** Bytes that all compressed parts of one document may unpack to together. */
export const MAX_UNPACKED_BYTES = 4_194_304;
/** Multiparts inside multiparts. */
export const MAX_MIME_DEPTH = 5;
/** Parts of one MIME message. */
export const MAX_MIME_PARTS = 1_000;
/** Collections inside collections in YAML; cloud-init's own reader gives up at some hundreds. */
export const MAX_YAML_DEPTH = 100;
/** Words, marks and line ends that a YAML document may be read as; an ordinary one of 1 MiB has 350,000. */
export const MAX_YAML_LEXEMES = 500_000;
/** Password hashes in one document: each takes 5,000 rounds of SHA-512. */
export const MAX_PASSWORD_HASHES = 32;
/** Bytes of a password to hash; crypt(3) refuses more, and its work grows with the square of them. */
export const MAX_PASSWORD_BYTES = 511;
/** What the server takes on at the same time. */
export const SERVER_BOUNDS = {
  /** Failed attempts that an address has at once, before it gets 429 in place of 401. */
  failureBurst: 20,
  /** How fast they come back. */
  failuresPerSecond: 1,
  /** Addresses whose failures are counted at the same time, at 16 bytes each. */
  failingAddresses: 65_536,
  /** Requests that are handled at the same time: a thousand machines that boot at once fit four times. */
  requestsInFlight: 4_096,
  /** Bytes of all their bodies together. */
  bodyBytesInFlight: 134_217_728,
};
export type ServerBounds = Readonly<typeof SERVER_BOUNDS>;
/** Things that one account may hold, unless the configuration says otherwise. */
export const DEFAULT_QUOTAS = { lists: 10_000, values: 250_000, instances: 100_000 };
export type Quotas = Readonly<typeof DEFAULT_QUOTAS>;
/** Seals under one data key, or wraps under one root key: nonces are random, and beyond it two could be equal. */
export const MAX_SEALS_PER_KEY = 2 ** 30;
/** Bytes of user-data that the large clouds accept. */
export const CLOUD_USER_DATA_BYTES = 16_384;
