// User-data on the wire, as the hosted build call has it: base64 in `script_content`.

import { type Static, Type } from '@sinclair/typebox';
import type { UserDataCheck } from '../../services/user-data-service.ts';
import { SecretKey } from './atoms.ts';

export const ScriptBody = Type.Object({
  script_content: Type.String({
    description: 'The user-data in base64, 1 MiB at most.',
    examples: ['I2Nsb3VkLWNvbmZpZwpwYXNzd29yZDogJHt7c2VjcmV0LkFQSV9LRVl9fQo='],
  }),
});

const RAW_EXAMPLE = '#cloud-config\npassword: ${{secret.API_KEY}}\n';

/** Bodies of the two forms; any text or octet-stream is the user-data itself. */
export const ScriptContent = {
  content: {
    'application/json': { schema: ScriptBody },
    'application/x-www-form-urlencoded': { schema: ScriptBody },
    'text/plain': {
      schema: Type.Any({ description: 'The user-data itself, of any text/* type.', examples: [RAW_EXAMPLE] }),
    },
    'application/octet-stream': { schema: Type.Any({ description: 'The user-data itself.', examples: [RAW_EXAMPLE] }) },
  },
};

export const ScriptAnswer = Type.Object({
  script_content: Type.String({
    description: 'The rendered user-data in base64.',
    examples: ['I2Nsb3VkLWNvbmZpZwpwYXNzd29yZDogImh1bnRlcjIiCg=='],
  }),
});

const Place = {
  line: Type.Integer({ minimum: 1, examples: [2] }),
  column: Type.Integer({ minimum: 1, examples: [11] }),
  part: Type.Union([Type.String(), Type.Null()], {
    description: 'The part of a MIME or packed document; null for the document itself.',
    examples: [null],
  }),
};

export const CheckAnswer = Type.Object({
  kind: Type.String({ description: 'What cloud-init takes the document for.', examples: ['cloud-config'] }),
  packed: Type.Boolean({ description: 'Whether it is compressed with gzip.', examples: [false] }),
  references: Type.Array(
    Type.Object({
      secret_key: SecretKey,
      filter: Type.Union([Type.String(), Type.Null()], { examples: ['sha512crypt', null] }),
      ...Place,
    }),
  ),
  missing_keys: Type.Array(SecretKey),
  problems: Type.Array(
    Type.Object({ message: Type.String({ examples: ['There is no secret with the key "API_KEY".'] }), ...Place }),
    {
      description: 'What would keep it from being rendered.',
    },
  ),
  warnings: Type.Array(
    Type.Object({ message: Type.String({ examples: ['cloud-init writes this into its log.'] }), ...Place }),
    {
      description: 'Where a secret would be seen by others.',
    },
  ),
  bytes: Type.Integer({ examples: [45] }),
  fits_clouds: Type.Boolean({
    description: 'Whether it is within the 16 KiB that clouds take.',
    examples: [true],
  }),
});

type Located = UserDataCheck['problems'][number];

function place({ line, column, part }: Pick<Located, 'line' | 'column' | 'part'>) {
  return { line, column, part: part ?? null };
}

function located({ message, ...where }: Located) {
  return { message, ...place(where) };
}

export function checkAnswer(check: UserDataCheck): Static<typeof CheckAnswer> {
  return {
    kind: check.kind,
    packed: check.isPacked,
    references: check.references.map((use) => ({ secret_key: use.key, filter: use.filter ?? null, ...place(use) })),
    missing_keys: [...check.missingKeys],
    problems: check.problems.map(located),
    warnings: check.warnings.map(located),
    bytes: check.bytes,
    fits_clouds: check.fitsClouds,
  };
}
