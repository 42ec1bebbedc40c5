// /api/secrets/lists/{secretList}/values

import { parseReference } from '../../domain/references.ts';
import type { ListsService } from '../../services/lists-service.ts';
import type { ValueAnswers } from '../../services/value-answers.ts';
import type { ValuesService } from '../../services/values-service.ts';
import type { App } from '../app-types.ts';
import { callerOf } from '../plugins/authenticate.ts';
import { answerUnlessKnown, type RevisionOf } from '../plugins/conditional-requests.ts';
import { Done, success, successOf } from '../schemas/answer-envelope.ts';
import { ListPath, ValuePath } from '../schemas/atoms.ts';
import { ChangeValueBody, NewValueBody, ValueAnswer, ValueListAnswer, valueAnswer } from '../schemas/values.ts';
import { operation } from './operation.ts';
import { writeValue, writeValues } from './write-values.ts';

const VALUES = '/secrets/lists/:secretList/values';
const VALUE = `${VALUES}/:secretListValue` as const;

export interface ValuesRoutesDependencies {
  readonly values: ValuesService;
  readonly lists: ListsService;
  readonly answers: ValueAnswers;
  readonly revisionOf: RevisionOf;
}

export function valuesRoutes(app: App, { values, lists, answers, revisionOf }: ValuesRoutesDependencies): void {
  app.get(
    VALUES,
    operation('value.list', 'read', {
      summary: 'Retrieve all values of a secret list',
      params: ListPath,
      success: successOf(ValueListAnswer),
      isConditional: true,
      failures: [404],
    }),
    async (request, reply) => {
      const caller = callerOf(request);
      const { id } = await lists.get(caller, parseReference(request.params.secretList));
      return answerUnlessKnown(request, reply, revisionOf, {
        answer: () => writeValues(reply, answers, caller, id),
      });
    },
  );

  app.get(
    VALUE,
    operation('value.read', 'read', {
      summary: 'Retrieve a value',
      params: ValuePath,
      success: successOf(ValueAnswer),
      isConditional: true,
      failures: [404],
    }),
    (request, reply) => {
      const caller = callerOf(request);
      const list = parseReference(request.params.secretList);
      const value = parseReference(request.params.secretListValue);
      return answerUnlessKnown(request, reply, revisionOf, {
        confirm: () => values.confirm(caller, list, value),
        answer: () => writeValue(reply, answers, caller, list, value),
      });
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
