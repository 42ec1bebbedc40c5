// /api/secrets/all-values

import type { ValueAnswers } from '../../services/value-answers.ts';
import type { App } from '../app-types.ts';
import { callerOf } from '../plugins/authenticate.ts';
import { answerUnlessKnown, type RevisionOf } from '../plugins/conditional-requests.ts';
import { successOf } from '../schemas/answer-envelope.ts';
import { ValueListAnswer } from '../schemas/values.ts';
import { operation } from './operation.ts';
import { writeValues } from './write-values.ts';

export function allValuesRoutes(app: App, answers: ValueAnswers, revisionOf: RevisionOf): void {
  app.get(
    '/secrets/all-values',
    operation('value.list-all', 'read', {
      summary: 'Retrieve all values across all lists',
      success: successOf(ValueListAnswer),
      isConditional: true,
    }),
    (request, reply) =>
      answerUnlessKnown(request, reply, revisionOf, {
        answer: () => writeValues(reply, answers, callerOf(request), null),
      }),
  );
}
