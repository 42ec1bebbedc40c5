// /api/secrets/lists/{secretList}/values

import { Type } from '@sinclair/typebox';
import { parseReference } from '../../domain/references.ts';
import type { ValuesService } from '../../services/values-service.ts';
import type { App } from '../app-types.ts';
import { callerOf } from '../plugins/authenticate.ts';
import { Done, success, successOf } from '../schemas/answer-envelope.ts';
import { ListPath, ValuePath } from '../schemas/atoms.ts';
import { ChangeValueBody, NewValueBody, ValueAnswer, valueAnswer } from '../schemas/values.ts';
import { operation } from './operation.ts';

const VALUES = '/secrets/lists/:secretList/values';
const VALUE = `${VALUES}/:secretListValue` as const;

export function valuesRoutes(app: App, values: ValuesService): void {
  app.get(
    VALUES,
    operation('value.list', 'read', {
      summary: 'Retrieve all values of a secret list',
      params: ListPath,
      success: successOf(Type.Array(ValueAnswer)),
      failures: [404],
    }),
    async (request) => {
      const list = parseReference(request.params.secretList);
      return success((await values.list(callerOf(request), list)).map(valueAnswer));
    },
  );

  app.get(
    VALUE,
    operation('value.read', 'read', {
      summary: 'Retrieve a value',
      params: ValuePath,
      success: successOf(ValueAnswer),
      failures: [404],
    }),
    async (request) => {
      const { secretList, secretListValue } = request.params;
      const value = await values.get(callerOf(request), parseReference(secretList), parseReference(secretListValue));
      return success(valueAnswer(value));
    },
  );

  app.post(
    VALUES,
    operation('value.create', 'write', {
      summary: 'Create a value',
      params: ListPath,
      body: NewValueBody,
      success: successOf(ValueAnswer),
      failures: [404, 422],
    }),
    async (request) => {
      const { secret_key: secretKey, secret_value: secretValue } = request.body;
      const list = parseReference(request.params.secretList);
      return success(valueAnswer(await values.create(callerOf(request), list, { secretKey, secretValue })));
    },
  );

  app.post(
    VALUE,
    operation('value.update', 'write', {
      summary: 'Update a value, its key or both',
      params: ValuePath,
      body: ChangeValueBody,
      success: successOf(ValueAnswer),
      failures: [404, 422],
    }),
    async (request) => {
      const { secretList, secretListValue } = request.params;
      const { secret_key: secretKey, secret_value: secretValue } = request.body;
      const updated = await values.update(
        callerOf(request),
        parseReference(secretList),
        parseReference(secretListValue),
        { secretKey, secretValue },
      );
      return success(valueAnswer(updated));
    },
  );

  app.delete(
    VALUE,
    operation('value.delete', 'write', {
      summary: 'Delete a value',
      params: ValuePath,
      success: Done,
      failures: [404],
    }),
    async (request) => {
      const { secretList, secretListValue } = request.params;
      await values.delete(callerOf(request), parseReference(secretList), parseReference(secretListValue));
      return success(null);
    },
  );
}
