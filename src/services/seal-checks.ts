// Opens whatever is sealed in a store, and says how much of it doesn't open: ids only, never what is in it.

import type { KeyObject } from 'node:crypto';
import { createApiKeyProof } from '../crypto/api-key-proof.ts';
import { SealBrokenError } from '../crypto/envelope.ts';
import type { KeyPurpose } from '../crypto/root-key.ts';
import { openTemplate } from '../crypto/template-seal.ts';
import { openValue } from '../crypto/value-seal.ts';
import { type Check, type Finding, fine, type Tell, wrong } from '../domain/checks.ts';
import { OperatorError } from '../domain/errors.ts';
import type { InspectedValue, StoreInspection } from '../storage/inspection.ts';
import type { SystemKeyPurpose, WrappedKey } from '../storage/storage.ts';

/** Throws SealBrokenError when none of the root keys at hand wrapped it, or for another purpose. */
export type Unwrap = (key: WrappedKey, purpose: KeyPurpose) => KeyObject;

const MOST_NAMED = 20;
const MOST_CACHED_KEYS = 10_000;

/** Both are called once a check is run: there may be nothing to inspect, or no key at hand. */
export function sealChecks(inspect: () => StoreInspection, unwrapper: () => Unwrap, needs: readonly string[]): Check[] {
  return [
    { name: 'wrapped keys', needs, run: () => checkWrappedKeys(inspect(), unwrapper()) },
    {
      name: 'values',
      needs,
      run(tell) {
        const dataKeyOf = createDataKeys(unwrapper());
        const name = ({ id, accountId, secretListId }: InspectedValue) =>
          `${id} (account ${accountId}, list ${secretListId})`;
        return openAll(inspect().values(), name, { tell, what: 'values', advice: SET_ANEW }, (value) => {
          openValue(dataKeyOf(value), value.sealedValue, value);
        });
      },
    },
    {
      name: 'instances',
      needs,
      run(tell) {
        const dataKeyOf = createDataKeys(unwrapper());
        const words = { tell, what: 'instance templates', advice: MAKE_ANEW };
        return openAll(inspect().instances(), nameInAccount, words, (instance) => {
          openTemplate(dataKeyOf(instance), instance.sealedTemplate, instance);
        });
      },
    },
    {
      name: 'API keys',
      needs: [...needs, 'wrapped keys'],
      async run(tell) {
        const proof = await openProof(inspect(), unwrapper());
        return openAll(inspect().apiKeys(), nameInAccount, { tell, what: 'API keys', advice: REVOKE }, (key) => {
          if (!proof.isGenuine(key)) throw new SealBrokenError();
        });
      },
    },
  ];
}

const SET_ANEW = 'set them anew, or restore a backup';
const MAKE_ANEW = 'delete and make them again, or restore a backup';
const REVOKE = 'their rows were changed by another program: revoke them, and make others';

/** The keys alone: whether a root key opens a store. */
export async function checkWrappedKeys(inspection: StoreInspection, unwrap: Unwrap): Promise<Finding> {
  let count = 0;
  const broken: string[] = [];
  const note = (name: string, key: WrappedKey, purpose: KeyPurpose) => {
    count += 1;
    if (!doesOpen(() => unwrap(key, purpose))) broken.push(name);
  };
  for (const key of await inspection.listSystemKeys()) note(key.purpose, key, { kind: key.purpose });
  for await (const page of inspection.dataKeys()) {
    for (const key of page) note(`account ${key.accountId} version ${key.version}`, key, { ...key, kind: 'data' });
  }
  if (broken.length === 0) return fine(`${count} unwrap`);
  return wrong(`${broken.length} of ${count} do not unwrap: ${enumerate(broken)}; restore a backup.`);
}

async function openProof(inspection: StoreInspection, unwrap: Unwrap) {
  const systemKeys = await inspection.listSystemKeys();
  const unwrapOne = (kind: SystemKeyPurpose) => {
    const key = systemKeys.find(({ purpose }) => purpose === kind);
    if (key === undefined) throw new OperatorError('storage', `The ${kind} key is missing; restore a backup.`);
    return unwrap(key, { kind });
  };
  return createApiKeyProof(unwrapOne('api-key-tokens'), unwrapOne('api-key-rows'));
}

/** Each data key is unwrapped once. */
function createDataKeys(unwrap: Unwrap) {
  const cache = new Map<string, KeyObject>();
  return (row: WrappedKey & { readonly accountId: number; readonly dataKeyVersion: number }): KeyObject => {
    const { accountId, dataKeyVersion: version } = row;
    const name = `${accountId}/${version}`;
    const cached = cache.get(name);
    if (cached !== undefined) return cached;
    const dataKey = unwrap(row, { kind: 'data', accountId, version });
    if (cache.size >= MOST_CACHED_KEYS) cache.clear();
    cache.set(name, dataKey);
    return dataKey;
  };
}

interface Words {
  readonly tell: Tell;
  readonly what: string;
  readonly advice: string;
}

async function openAll<Row>(
  pages: AsyncIterable<readonly Row[]>,
  nameOf: (row: Row) => string,
  { tell, what, advice }: Words,
  open: (row: Row) => void,
): Promise<Finding> {
  let count = 0;
  const broken: string[] = [];
  for await (const page of pages) {
    for (const row of page) if (!doesOpen(() => open(row))) broken.push(nameOf(row));
    count += page.length;
    tell(`${count} ${what}`);
  }
  if (broken.length === 0) return fine(`${count} open`);
  return wrong(`${broken.length} of ${count} do not open: ${enumerate(broken)}; ${advice}.`);
}

function doesOpen(open: () => unknown): boolean {
  try {
    open();
    return true;
  } catch (error) {
    if (error instanceof SealBrokenError) return false;
    throw error;
  }
}

function nameInAccount({ id, accountId }: { readonly id: number; readonly accountId: number }): string {
  return `${id} (account ${accountId})`;
}

function enumerate(names: readonly string[]): string {
  const named = names.slice(0, MOST_NAMED).join(', ');
  return names.length > MOST_NAMED ? `${named} and ${names.length - MOST_NAMED} more` : named;
}
