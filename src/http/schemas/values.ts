// Secret values on the wire.

import { type Static, Type } from '@sinclair/typebox';
import type { SecretValue } from '../../domain/secrets.ts';
import { Id, SecretKey, SecretValueText, Time } from './atoms.ts';

export const ValueAnswer = Type.Object({
  id: Id,
  secret_list_id: Id,
  secret_key: SecretKey,
  secret_value: SecretValueText,
  version: Type.Integer({ minimum: 1, description: 'One more with each update.', examples: [1] }),
  created_at: Time,
  updated_at: Time,
});

export const NewValueBody = Type.Object({ secret_key: SecretKey, secret_value: SecretValueText });

export const ChangeValueBody = Type.Partial(NewValueBody, {
  description: 'Only what is sent is changed; at least one of the two.',
});

export const ValueListAnswer = Type.Array(ValueAnswer);

export function valueAnswer(value: SecretValue): Static<typeof ValueAnswer> {
  return {
    id: value.id,
    secret_list_id: value.secretListId,
    secret_key: value.secretKey,
    secret_value: value.secretValue,
    version: value.version,
    created_at: value.createdAt,
    updated_at: value.updatedAt,
  };
}
