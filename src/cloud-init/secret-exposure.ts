// Where a cloud-config would show a secret to others on the machine, or keep a password where a hash belongs.

import { CST } from 'yaml';
import type { ReferenceMark } from './secret-marks.ts';
import { namesOf, type ScalarSlot, siblingOf, type YamlPath } from './yaml-scalars.ts';

const READABLE_BY_OTHERS = 0o004;
const HASH_IT = 'write | sha512crypt behind the key';

interface ExposureRule {
  /** Matches the names from the root down, joined by slashes; `[]` is a member of a list. */
  readonly path: RegExp;
  /** A sentence when there is something to warn of. */
  readonly warn: (slot: ScalarSlot, mark: ReferenceMark) => string | undefined;
}

const RULES: readonly ExposureRule[] = [
  {
    path: /^(?:runcmd|bootcmd)(?:\/|$)/,
    warn: () => 'A value in a command is visible to every user of the machine while it runs (ps); write it to a file.',
  },
  { path: /^write_files\/\[\]\/content$/, warn: warnOfReadableFile },
  { path: /^password$/, warn: unlessHashed(`This password is kept in plain text; ${HASH_IT}.`) },
  { path: /^chpasswd\/list(?:\/\[\])?$/, warn: unlessHashed(`These passwords are kept in plain text; ${HASH_IT}.`) },
  { path: /^chpasswd\/users\/\[\]\/password$/, warn: warnOfChpasswdUser },
  {
    path: /^(?:users\/\[\]|user)\/plain_text_passwd$/,
    warn: () => `This password is kept in plain text; use passwd and ${HASH_IT}.`,
  },
  {
    path: /^(?:users\/\[\]|user)\/(?:passwd|hashed_passwd)$/,
    warn: unlessHashed(`A password hash belongs here: unless the secret is one, ${HASH_IT}.`),
  },
];

/** What to warn of where a reference stands, as a sentence; undefined when there is nothing. */
export function findExposure(slot: ScalarSlot, mark: ReferenceMark): string | undefined {
  if (slot.role !== 'value') return undefined;
  const path = namesOf(slot.path).join('/');
  return RULES.find((rule) => rule.path.test(path))?.warn(slot, mark);
}

function unlessHashed(sentence: string): ExposureRule['warn'] {
  return (_slot, mark) => (mark.filter === 'sha512crypt' ? undefined : sentence);
}

function warnOfChpasswdUser(slot: ScalarSlot, mark: ReferenceMark): string | undefined {
  const type = siblingOf(slot.path, 'type');
  if (type !== undefined && textOf(type) === 'text') {
    return `This password is kept in plain text; ${HASH_IT} and leave type: text out.`;
  }
  if (mark.filter === 'sha512crypt') return undefined;
  return `A password hash belongs here: unless the secret is one, ${HASH_IT}.`;
}

/** Looking through a map for each of its references would take the square of its size. */
const knownModes = new WeakMap<YamlPath['container'], number | undefined>();

function warnOfReadableFile(slot: ScalarSlot): string | undefined {
  const container = slot.path?.container;
  if (container === undefined) return undefined;
  if (!knownModes.has(container)) knownModes.set(container, modeOf(siblingOf(slot.path, 'permissions')));
  const mode = knownModes.get(container);
  if (mode === undefined) return "This file is readable by every user (0644) without permissions: '0600'.";
  if ((mode & READABLE_BY_OTHERS) === 0) return undefined;
  return "The permissions of this file let every user of the machine read it; write '0600'.";
}

/** As cloud-init reads it: text is octal, and so is an unquoted number with a leading zero; others are decimal. */
function modeOf(permissions: CST.FlowScalar | CST.BlockScalar | undefined): number | undefined {
  if (permissions === undefined) return undefined;
  const text = textOf(permissions).trim();
  if (permissions.type === 'scalar' && /^[1-9][0-9]*$/.test(text)) return Number(text);
  return /^(?:0o)?[0-7]+$/.test(text) ? Number.parseInt(text.replace('0o', ''), 8) : undefined;
}

function textOf(token: CST.FlowScalar | CST.BlockScalar): string {
  return CST.resolveAsScalar(token, false, () => undefined).value;
}
