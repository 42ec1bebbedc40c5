// An ETag says that the bytes of an answer are the same. When the same data is written in other bytes, say by a new
// member, a client would go on using what it has: the format's number in the ETag is then raised.

import { expect, test } from 'vitest';
import { ANSWER_FORMAT } from '../../src/http/plugins/conditional-requests.ts';
import { ListAnswer } from '../../src/http/schemas/lists.ts';
import { ValueAnswer } from '../../src/http/schemas/values.ts';

test('lists and values are written as ANSWER_FORMAT says; raise it when this changes', () => {
  const members = [ListAnswer, ValueAnswer].map(({ properties }) => Object.keys(properties));
  expect({ format: ANSWER_FORMAT, members }).toEqual({
    format: 1,
    members: [
      ['id', 'name', 'created_at', 'updated_at'],
      ['id', 'secret_list_id', 'secret_key', 'secret_value', 'version', 'created_at', 'updated_at'],
    ],
  });
});
