// User-data with references: rendered from the account's current values, or checked without any.

import type { DocumentKind } from '../cloud-init/document-kinds.ts';
import type { Problem } from '../cloud-init/render-pass.ts';
import type { UserDataCheck } from '../cloud-init/user-data.ts';
import { invalidFields } from '../domain/errors.ts';
import type { DeliveredSecret } from '../domain/instances.ts';
import { MAX_RENDERED_BYTES } from '../domain/limits.ts';
import type { Caller } from './caller.ts';
import type { ReadAudit } from './read-audit.ts';
import type { RenderingService } from './rendering-service.ts';
import type { ValuesService } from './values-service.ts';

export type { UserDataCheck };

type Delivered = Pick<DeliveredSecret, 'valueId' | 'secretKey' | 'version'> & { readonly secretListId: number };

export type RenderedUserData =
  | {
      readonly bytes: Uint8Array;
      readonly delivered: readonly Delivered[];
    }
  | { readonly problems: readonly Problem[] };

export interface UserDataService {
  /** Everything or nothing; also says which values went in. */
  render(accountId: number, document: Uint8Array, knownKind?: DocumentKind): Promise<RenderedUserData>;
  /** Writes an audit event for each value that goes in. Throws `invalid_fields` with all problems under the given field. */
  renderOrRefuse(caller: Caller, document: Uint8Array, field: string): Promise<Uint8Array>;
  check(accountId: number, document: Uint8Array): Promise<UserDataCheck>;
}

const TOO_LARGE: Problem = {
  message: 'The values that this document refers to are larger than 4 MiB together.',
  part: undefined,
  line: 1,
  column: 1,
};

export function createUserDataService(
  values: ValuesService,
  rendering: RenderingService,
  reads: ReadAudit,
): UserDataService {
  async function render(accountId: number, document: Uint8Array, knownKind?: DocumentKind): Promise<RenderedUserData> {
    const { references } = await rendering.check(accountId, document, undefined, knownKind);
    const keys = new Set(references.map(({ key }) => key));
    const known = await values.openByKeys(accountId, keys, MAX_RENDERED_BYTES);
    if (known === undefined) return { problems: [TOO_LARGE] };
    const texts = new Map(known.map(({ secretKey, secretValue }) => [secretKey, secretValue as string]));
    const rendered = await rendering.render(accountId, document, texts, knownKind);
    if ('problems' in rendered) return rendered;
    const delivered = known.map(({ id, secretListId, secretKey, version }) => ({
      valueId: id,
      secretListId,
      secretKey,
      version,
    }));
    return { bytes: rendered.bytes, delivered };
  }

  return {
    render,

    async renderOrRefuse(caller, document, field) {
      const rendered = await render(caller.accountId, document);
      if ('problems' in rendered) throw invalidFields({ [field]: rendered.problems.map(describeProblem) });
      const targets = rendered.delivered.map(
        ({ valueId, secretListId }) => ({ kind: 'value', id: valueId, parentId: secretListId }) as const,
      );
      await reads.recordRead(caller, 'user-data.render', ...targets);
      return rendered.bytes;
    },

    async check(accountId, document) {
      const { references } = await rendering.check(accountId, document);
      const keys = new Set(references.map(({ key }) => key));
      return await rendering.check(accountId, document, new Set(await values.listKnownKeys(accountId, keys)));
    },
  };
}

/** One sentence with its place. */
export function describeProblem({ message, part, line, column }: Problem): string {
  return `${part === undefined ? 'Line' : `In ${part}, line`} ${line}, column ${column}: ${message}`;
}
