// What a command's exit code tells a script. docs/command-line.md lists them.

import type { OperatorErrorKind } from '../domain/errors.ts';

export const EXIT = {
  ok: 0,
  /** Something that should not happen. */
  failure: 1,
  /** The command line itself is wrong. */
  usage: 2,
  configuration: 3,
  /** The command was understood and can't be done: no such account, a name that is taken. */
  refused: 4,
  storage: 5,
  rootKey: 6,
  /** A document can't be rendered: a missing key, or something else in it. */
  document: 7,
  /** The server that was asked can't be reached, or refuses. */
  server: 8,
  /** `doctor` or `audit verify` found something that isn't as it must be. */
  findings: 9,
} as const;

const OF_KIND: Readonly<Record<OperatorErrorKind, number>> = {
  usage: EXIT.usage,
  configuration: EXIT.configuration,
  refused: EXIT.refused,
  storage: EXIT.storage,
  'root-key': EXIT.rootKey,
  document: EXIT.document,
  server: EXIT.server,
  trail: EXIT.findings,
};

export function exitCodeOf(kind: OperatorErrorKind): number {
  return OF_KIND[kind];
}
