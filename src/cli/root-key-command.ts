// secret-manager root-key status | rotate | drop

import { type Command, InvalidArgumentError } from 'commander';
import { readRootKeyStatus } from '../compose-keys.ts';
import { readConfig } from '../config.ts';
import { administer } from './administer.ts';
import { printResult, table } from './output.ts';

interface Rotation {
  readonly fingerprint: string;
  readonly isNew: boolean;
  readonly rewrapped: number;
  readonly old: readonly string[];
}

const HOW_TO_GO_ON =
  'to rotate, put a new one (openssl rand -base64 32) first in SECRET_MANAGER_ROOT_KEY and the present one behind it, restart the server, and run this again.';

export function rootKeyCommand(program: Command): void {
  const rootKey = program.command('root-key').description('the root keys, which wrap all other keys');

  rootKey
    .command('status')
    .description('list the root keys, and how many keys each wraps')
    .option('--json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      const all = await readRootKeyStatus(readConfig());
      const rows = all.map((key) => [
        key.fingerprint,
        key.role,
        key.isAtHandOfServer ? 'yes' : 'no',
        String(key.wrappedKeys),
        key.since ?? 'not used yet',
      ]);
      const data = all.map(({ fingerprint, role, isAtHandOfServer, wrappedKeys, since }) => ({
        fingerprint,
        role,
        server_has_it: isAtHandOfServer,
        wrapped_keys: wrappedKeys,
        since,
      }));
      const headings = ['FINGERPRINT', 'ROLE', 'SERVER HAS IT', 'WRAPPED KEYS', 'SINCE'];
      printResult({ text: table(headings, rows), data }, options.json === true);
    });

  rootKey
    .command('rotate')
    .description('wrap all keys again under a new root key; a running server goes on')
    .option('--json', 'print JSON')
    .action((options: { json?: boolean }) =>
      administer(options, async ({ rootKeys }) => {
        const done = await rootKeys.rotate();
        const { fingerprint, isNew, rewrapped, old } = done;
        return { text: rotationText(done), data: { fingerprint, is_new: isNew, rewrapped, old } };
      }),
    );

  rootKey
    .command('drop')
    .argument('<fingerprint>', 'the fingerprint that "root-key status" shows', parseFingerprint)
    .description('forget a root key that wraps nothing any more')
    .option('--json', 'print JSON')
    .action((fingerprint: string, options: { json?: boolean }) =>
      administer(options, async ({ rootKeys }) => {
        await rootKeys.drop(fingerprint);
        return { text: `Dropped the root key ${fingerprint}.`, data: { fingerprint } };
      }),
    );
}

function rotationText({ fingerprint, rewrapped, old }: Rotation): string {
  const [first] = old;
  if (rewrapped > 0) {
    const next = first === undefined ? '' : ` When its last backup is no longer needed: root-key drop ${first}`;
    return `The root key ${fingerprint} wraps everything now; ${rewrapped} keys were wrapped again.${next}`;
  }
  if (first === undefined) return `The root key ${fingerprint} wraps everything already; ${HOW_TO_GO_ON}`;
  return `The root key ${fingerprint} wraps everything already; run "root-key drop ${first}" before the next rotation.`;
}

function parseFingerprint(text: string): string {
  if (!/^[0-9a-f]{16}$/.test(text)) throw new InvalidArgumentError('Give the 16 digits that "root-key status" shows.');
  return text;
}
