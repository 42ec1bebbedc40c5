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
