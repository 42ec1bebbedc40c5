// The one table of everything that can go wrong for a caller: code, HTTP status, sentence.
// docs/errors.md and openapi.yaml are held against it by a test.

import type { Quotas } from './limits.ts';

interface ErrorDefinition {
  readonly status: number;
  readonly message: string;
}

export const ERRORS = {
  bad_request: { status: 400, message: 'The request is not valid HTTP.' },
  invalid_url: { status: 400, message: 'The request target is not a valid path; percent-encode what is not plain.' },
  invalid_host: { status: 400, message: 'Send exactly one Host header.' },
  malformed_body: { status: 400, message: 'The body could not be read.' },
  two_credentials: {
    status: 400,
    message: 'Send one API key only: as ?key= or as Authorization: Bearer, not both.',
  },
  unauthenticated: {
    status: 401,
    message: 'A working API key is needed: send it as ?key= or as Authorization: Bearer.',
  },
  forbidden: { status: 403, message: 'This API key may read but not write.' },
  list_not_found: { status: 404, message: 'There is no such secret list in this account.' },
  value_not_found: { status: 404, message: 'There is no such value in this secret list.' },
  instance_not_found: { status: 404, message: 'There is no such instance in this account.' },
  seed_not_found: { status: 404, message: 'There is no such seed.' },
  route_not_found: { status: 404, message: 'There is nothing at this path.' },
  method_not_allowed: {
    status: 405,
    message: 'This path does not take this method; the Allow header lists those it takes.',
  },
  request_timeout: { status: 408, message: 'The request took too long to arrive.' },
  body_too_large: { status: 413, message: 'The body is larger than 4 MiB.' },
  uri_too_long: { status: 414, message: 'The request line is too long.' },
  unsupported_media_type: {
    status: 415,
    message: 'Send the body as application/json or application/x-www-form-urlencoded, not compressed.',
  },
  expectation_failed: { status: 417, message: 'The only expectation this server meets is 100-continue.' },
  invalid_fields: { status: 422, message: 'Some fields need another value; see fields.' },
  too_many_failures: {
    status: 429,
    message: 'Too many requests from your address had no working key or token; send the right one, or wait.',
  },
  headers_too_large: { status: 431, message: 'The request line and headers are larger than 16 KiB.' },
  internal: { status: 500, message: 'Something went wrong on the server; its log has more under this request id.' },
  stopping: { status: 503, message: 'The server is stopping; try again.' },
  busy: { status: 503, message: 'The server is handling as many requests as it can; try again.' },
  bodies_busy: { status: 503, message: 'The server holds as many request bodies as it can; try again.' },
  seed_not_ready: { status: 503, message: 'This seed cannot be rendered right now; try again.' },
  rendering_busy: { status: 503, message: 'Too many large documents are waiting to be rendered; try again.' },
  rendering_failed: { status: 503, message: 'The document took too long to render; make it smaller or simpler.' },
  storage_unavailable: { status: 503, message: 'The storage cannot be used right now; try again.' },
  storage_full: { status: 507, message: 'The disk of the server is full; nothing was changed.' },
} as const satisfies Record<string, ErrorDefinition>;

export type ErrorCode = keyof typeof ERRORS;

/** What is wrong with which field: field name to at least one sentence. Never holds a value. */
export type FieldProblems = Record<string, string[]>;

/**
 * A failure that the caller is told about: its code leads to status and sentence in ERRORS.
 * `detail` replaces the sentence with a more exact one; it must never hold a value or a key.
 */
export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly fields: FieldProblems | undefined;
  override readonly name = 'ApiError';

  constructor(code: ErrorCode, options: { detail?: string; fields?: FieldProblems; cause?: unknown } = {}) {
    // An answer, no fault of the program: where it was thrown is of no use, and a trace costs as much as all else.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(options.detail ?? ERRORS[code].message, { cause: options.cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.code = code;
    this.fields = options.fields;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }
}

/** A 422 about the given fields. */
export function invalidFields(fields: FieldProblems): ApiError {
  return new ApiError('invalid_fields', { fields });
}

/** Why an operator's command or a start was refused; each kind has an exit code in the command line. */
export type OperatorErrorKind =
  | 'usage'
  | 'configuration'
  | 'refused'
  | 'storage'
  | 'root-key'
  | 'document'
  | 'server'
  | 'trail';

/** A mistake of the person who runs the server, told in one sentence that says what to do. */
export class OperatorError extends Error {
  readonly kind: OperatorErrorKind;
  override readonly name = 'OperatorError';

  constructor(kind: OperatorErrorKind, message: string, options: { cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.kind = kind;
  }
}

export type UniqueThing = 'list-name' | 'secret-key' | 'account-name' | 'api-key' | 'root-key' | 'instance-id';

/** A storage's refusal to keep a second thing of the same name. */
export class AlreadyTakenError extends Error {
  readonly what: UniqueThing;
  override readonly name = 'AlreadyTakenError';

  constructor(what: UniqueThing, options: { cause?: unknown } = {}) {
    super(`There is one already: ${what}.`, options);
    this.what = what;
  }
}

export type LimitedThing = keyof Quotas;

/** A storage's refusal to keep more of a thing in an account than it may hold. */
export class QuotaReachedError extends Error {
  readonly what: LimitedThing;
  readonly limit: number;
  override readonly name = 'QuotaReachedError';

  constructor(what: LimitedThing, limit: number) {
    super(`The account holds ${limit} ${what} already.`);
    this.what = what;
    this.limit = limit;
  }
}

/** Why a data key can't be used: another one took its place, it sealed as often as it may, or it isn't in memory. */
export type StaleDataKeyReason = 'superseded' | 'worn-out' | 'unknown';

/** The keys in memory are not those of the storage any more: whoever caught it reads them again and starts over. */
export class StaleDataKeyError extends Error {
  readonly reason: StaleDataKeyReason;
  override readonly name = 'StaleDataKeyError';

  constructor(reason: StaleDataKeyReason) {
    super(`The data key cannot be used: ${reason}.`);
    this.reason = reason;
  }
}
