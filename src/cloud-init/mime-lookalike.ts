// A document that merely names mime-version: is handed to Python's email parser too, which takes it for one ASCII text.

import { Buffer } from 'node:buffer';
import { namesMimeVersion } from './document-kinds.ts';

/** Whether cloud-init would read other characters than these. */
export function wouldBeMangled(text: string): boolean {
  return namesMimeVersion(text) && Buffer.byteLength(text) !== text.length;
}
