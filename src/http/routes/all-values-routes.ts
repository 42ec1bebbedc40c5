// /api/secrets/all-values

import { Type } from '@sinclair/typebox';
import type { ValuesService } from '../../services/values-service.ts';
import type { App } from '../app-types.ts';
import { callerOf } from '../plugins/authenticate.ts';
import { success, successOf } from '../schemas/answer-envelope.ts';
import { ValueAnswer, valueAnswer } from '../schemas/values.ts';
import { operation } from './operation.ts';

export function allValuesRoutes(app: App, values: ValuesService): void {
  app.get(
    '/secrets/all-values',
    operation('value.list-all', 'read', {
      summary: 'Retrieve all values across all lists',
      success: successOf(Type.Array(ValueAnswer)),
    }),
    async (request) => success((await values.listAll(callerOf(request))).map(valueAnswer)),
  );
}
