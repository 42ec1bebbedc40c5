// Many values in one answer, from the text that is kept of them.

import type { FastifyReply } from 'fastify';
import type { Reference } from '../../domain/references.ts';
import type { SecretValue } from '../../domain/secrets.ts';
import type { Caller } from '../../services/caller.ts';
import type { ValueAnswers } from '../../services/value-answers.ts';
import { sendJson, success, successOfPieces } from '../schemas/answer-envelope.ts';
import { ValueListAnswer, valueAnswer } from '../schemas/values.ts';

type Serialize = (data: unknown) => string;

/** The whole answer, of one list or with null of all; bytes, where the route's schema says what they hold. */
export async function writeValues(
  reply: FastifyReply,
  answers: ValueAnswers,
  caller: Caller,
  listId: number | null,
): Promise<never> {
  const pieces = await answers.getMany(caller, listId, (values) => {
    const serialize = reply.compileSerializationSchema(ValueListAnswer) as Serialize;
    return serialize(values.map(valueAnswer)).slice(1, -1);
  });
  return sendJson(reply, successOfPieces(pieces));
}

/** The whole answer with one value. */
export async function writeValue(
  reply: FastifyReply,
  answers: ValueAnswers,
  caller: Caller,
  list: Reference,
  value: Reference,
): Promise<never> {
  const text = await answers.getOne(
    caller,
    list,
    value,
    ([found]) => reply.serialize(success(valueAnswer(found as SecretValue))) as string,
  );
  return sendJson(reply, text);
}
