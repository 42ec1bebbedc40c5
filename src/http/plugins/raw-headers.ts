// Headers as they came: Node keeps only the first of a second Host or Authorization, and a second one must be noticed.

import type { IncomingMessage } from 'node:http';

/** How often a header was sent. `name` is in lower case. */
export function countHeader({ rawHeaders }: IncomingMessage, name: string): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() === name) count += 1;
  }
  return count;
}
