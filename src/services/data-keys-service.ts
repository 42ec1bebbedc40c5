// Data keys: use cases of the command line. A rotation makes a new one and seals everything of the account again under
// it in small steps, beside a running server or without one; killed at any point, the next one goes on with it.

import { SealBrokenError } from '../crypto/envelope.ts';
import { openTemplate, sealTemplate } from '../crypto/template-seal.ts';
import { openValue, sealValue } from '../crypto/value-seal.ts';
import { ApiError, OperatorError } from '../domain/errors.ts';
import type { SealedSecretValue } from '../domain/secrets.ts';
import type {
  KeyRotationRepository,
  ResealedBatch,
  ResealStep,
  StoredDataKey,
  StoredTemplate,
} from '../storage/key-rotation.ts';
import { inSteps } from './batches.ts';
import { commandLineEvent } from './caller.ts';
import type { DataKeys, Keyring } from './keyring.ts';

export interface DataKeyRotation {
  /** The version that everything is sealed under now. */
  readonly version: number;
  /** False when it went on with a rotation that was begun before. */
  readonly isNew: boolean;
  /** Values and templates. */
  readonly resealed: number;
  /** The versions that are gone. */
  readonly deletedVersions: readonly number[];
}

export interface DataKeysService {
  /** Of one account, or of all. */
  list(accountId: number | undefined): Promise<StoredDataKey[]>;
  /** Throws OperatorError (`refused`) when something doesn't open: that alone stays under its old key. */
  rotate(accountId: number): Promise<DataKeyRotation>;
}

export interface DataKeysDependencies {
  readonly rotation: KeyRotationRepository;
  readonly keyring: Keyring;
  /** Resolves when whatever is new can be wrapped. */
  readonly ensureWrappable: () => Promise<void>;
  /** Does it while no other process changes keys. Throws OperatorError (`refused`) when one does. */
  readonly alone: <T>(work: () => Promise<T>) => Promise<T>;
}

type Progress = Omit<ResealedBatch, 'lastId'>;
type Reseal = (step: ResealStep, dataKeys: DataKeys) => Promise<ResealedBatch>;

export function createDataKeysService(deps: DataKeysDependencies): DataKeysService {
  const { rotation, keyring, ensureWrappable, alone } = deps;

  async function makeKeyIfDue(accountId: number): Promise<boolean> {
    const known = await rotation.listDataKeys(accountId);
    const current = known.find(({ isCurrent }) => isCurrent);
    if (known.length > 1 || current === undefined) return false;
    await ensureWrappable();
    const wrap = (version: number) => keyring.newWrappedDataKey(accountId, version);
    await rotation.addDataKey(accountId, current.version, wrap, commandLineEvent('data-key.rotate', accountId));
    return true;
  }

  const resealValues: Reseal = (step, dataKeys) =>
    rotation.resealValues(step, (value: SealedSecretValue) =>
      unlessBroken(() => {
        const identity = { ...value, accountId: step.accountId };
        const plain = openValue(dataKeys.get(step.from), value.sealedValue, identity);
        return sealValue(dataKeys.get(step.to), plain, { ...identity, dataKeyVersion: step.to });
      }),
    );

  const resealTemplates: Reseal = (step, dataKeys) =>
    rotation.resealTemplates(step, (instance: StoredTemplate) =>
      unlessBroken(() => {
        const template = openTemplate(dataKeys.get(step.from), instance.sealedTemplate, instance);
        return sealTemplate(dataKeys.get(step.to), template, { ...instance, dataKeyVersion: step.to });
      }),
    );

  async function resealSome(accountId: number, from: number, reseal: Reseal): Promise<Progress> {
    let [resealed, broken, afterId] = [0, 0, 0];
    await inSteps(async () => {
      const done = await keyring.withDataKeys(accountId, (dataKeys) =>
        reseal({ accountId, from, to: dataKeys.currentVersion, afterId }, dataKeys),
      );
      resealed += done.resealed;
      broken += done.broken;
      afterId = done.lastId ?? afterId;
      return done.lastId !== undefined;
    });
    return { resealed, broken };
  }

  /** Seals again everything that is under one old version. */
  async function emptyOldKey(accountId: number, from: number): Promise<Progress> {
    const values = await resealSome(accountId, from, resealValues);
    const templates = await resealSome(accountId, from, resealTemplates);
    return { resealed: values.resealed + templates.resealed, broken: values.broken + templates.broken };
  }

  /** The server can make another key meanwhile, when one is worn out: until only the current one is left. */
  async function emptyOldKeys(accountId: number): Promise<Omit<DataKeyRotation, 'isNew'>> {
    let resealed = 0;
    const deletedVersions: number[] = [];
    for (;;) {
      const known = await rotation.listDataKeys(accountId);
      const oldest = known[0];
      if (oldest === undefined || oldest.isCurrent) return { version: oldest?.version ?? 0, resealed, deletedVersions };
      const done = await emptyOldKey(accountId, oldest.version);
      resealed += done.resealed;
      deletedVersions.push(...(await rotation.deleteUnusedDataKeys(accountId)));
      if (done.broken > 0) refuseBroken(done.broken);
    }
  }

  return {
    list: (accountId) => rotation.listDataKeys(accountId),

    rotate: (accountId) =>
      alone(async () => {
        try {
          const isNew = await makeKeyIfDue(accountId);
          return { isNew, ...(await emptyOldKeys(accountId)) };
        } catch (error) {
          if (!(error instanceof ApiError && error.code === 'unauthenticated')) throw error;
          throw new OperatorError('refused', 'The account was deleted meanwhile, and its keys with it.');
        }
      }),
  };
}

function unlessBroken<T>(reseal: () => T): T | undefined {
  try {
    return reseal();
  } catch (error) {
    if (error instanceof SealBrokenError) return undefined;
    throw error;
  }
}

function refuseBroken(broken: number): never {
  throw new OperatorError(
    'refused',
    `Everything else is sealed again, but ${broken === 1 ? 'one record does' : `${broken} records do`} not open and stay under the old key; see "ALARM in the log" in the documentation.`,
  );
}
