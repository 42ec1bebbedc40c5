// Bytes to text, or the place of the first byte that is no UTF-8.

import { Buffer } from 'node:buffer';

export type DecodedText = { readonly text: string } | { readonly badOffset: number };

const REPLACEMENT = '\ufffd';

/** Keeps a byte order mark. `badOffset` counts in the text as far as it could be read. */
export function decodeUtf8(bytes: Uint8Array): DecodedText {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  if (Buffer.from(text).equals(bytes)) return { text };
  for (let at = text.indexOf(REPLACEMENT); at !== -1; at = text.indexOf(REPLACEMENT, at + 1)) {
    const byteOffset = Buffer.byteLength(text.slice(0, at));
    if (Buffer.compare(bytes.subarray(byteOffset, byteOffset + 3), Buffer.from(REPLACEMENT)) !== 0)
      return { badOffset: at };
  }
  return { badOffset: 0 };
}
