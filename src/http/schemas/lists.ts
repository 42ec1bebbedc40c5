// Secret lists on the wire.

import { type Static, Type } from '@sinclair/typebox';
import type { SecretList } from '../../domain/secrets.ts';
import { Id, ListName, Time } from './atoms.ts';

export const ListAnswer = Type.Object({ id: Id, name: ListName, created_at: Time, updated_at: Time });

export const NewListBody = Type.Object({
  name: Type.Optional(Type.String({ description: 'Absent: a unique one is generated.', examples: ['production'] })),
});

export const RenameListBody = Type.Object({ name: ListName });

export function listAnswer(list: SecretList): Static<typeof ListAnswer> {
  return { id: list.id, name: list.name, created_at: list.createdAt, updated_at: list.updatedAt };
}
