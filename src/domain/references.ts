// How a path segment or a command-line argument names a thing: digits alone are an id, the rest is the exact name.

export type Reference = { readonly id: number } | { readonly name: string };

const DIGITS_ONLY = /^[0-9]+$/;

/** Digits alone are always an id, never a name. An id beyond 2^53 exists nowhere and becomes 0, which no thing has. */
export function parseReference(segment: string): Reference {
  if (!DIGITS_ONLY.test(segment)) return { name: segment };
  const id = Number(segment);
  return { id: Number.isSafeInteger(id) ? id : 0 };
}
