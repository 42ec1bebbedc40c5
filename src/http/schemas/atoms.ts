// The building blocks of the other schemas. Lengths and characters are the domain's rules (domain/names.ts); a schema
// here checks shape alone, so that each rule stands once.

import { Type } from '@sinclair/typebox';

export const Id = Type.Integer({ minimum: 1, description: 'Never given twice.', examples: [7] });

export const Time = Type.String({
  format: 'date-time',
  description: 'RFC 3339, UTC.',
  examples: ['2026-11-23T08:15:30.123Z'],
});

export const ListName = Type.String({
  description:
    '1 to 255 characters after trimming, no control characters; unique in the account, case-sensitive. One of digits alone is reached by its id only.',
  examples: ['production'],
});

export const SecretKey = Type.String({
  description:
    '1 to 255 characters after trimming, no control characters, none of `{`, `}`, `|`; unique in the account across all its lists, case-sensitive.',
  examples: ['API_KEY'],
});

export const SecretValueText = Type.String({
  description: 'Any text of 0 to 1,048,576 bytes of UTF-8; stored and returned to the byte.',
  examples: ['correct horse battery staple'],
});

export const ListPath = Type.Object({
  secretList: Type.String({
    description: 'Digits alone are the id of a list; anything else is its exact name, percent-encoded.',
    examples: ['production'],
  }),
});

export const ValuePath = Type.Composite([
  ListPath,
  Type.Object({
    secretListValue: Type.String({
      description:
        'Digits alone are the id of a value of this list; anything else is its exact secret key, percent-encoded.',
      examples: ['API_KEY'],
    }),
  }),
]);
