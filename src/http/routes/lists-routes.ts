// /api/secrets/lists

import { Type } from '@sinclair/typebox';
import { parseReference } from '../../domain/references.ts';
import type { ListsService } from '../../services/lists-service.ts';
import type { SealedAnswers } from '../../services/sealed-answers.ts';
import type { App } from '../app-types.ts';
import { callerOf } from '../plugins/authenticate.ts';
import { answerUnlessKnown, type RevisionOf } from '../plugins/conditional-requests.ts';
import { Done, sendJson, success, successOf } from '../schemas/answer-envelope.ts';
import { ListPath } from '../schemas/atoms.ts';
import { ListAnswer, listAnswer, NewListBody, RenameListBody } from '../schemas/lists.ts';
import { operation } from './operation.ts';

export function listsRoutes(app: App, lists: ListsService, answers: SealedAnswers<null>, revisionOf: RevisionOf): void {
  app.get(
    '/secrets/lists',
    operation('list.list', 'read', {
      summary: 'Retrieve all secret lists',
      success: successOf(Type.Array(ListAnswer)),
      isConditional: true,
    }),
    (request, reply) =>
      answerUnlessKnown(request, reply, revisionOf, {
        answer: async () => {
          const caller = callerOf(request);
          const { text } = await answers.get(caller.accountId, 'lists', async () => ({
            text: String(reply.serialize(success((await lists.list(caller)).map(listAnswer)))),
            about: null,
          }));
          return sendJson(reply, text);
        },
      }),
  );

  app.get(
    '/secrets/lists/:secretList',
    operation('list.read', 'read', {
      summary: 'Retrieve a secret list',
      params: ListPath,
      success: successOf(ListAnswer),
      isConditional: true,
      failures: [404],
    }),
    (request, reply) => {
      const get = () => lists.get(callerOf(request), parseReference(request.params.secretList));
      return answerUnlessKnown(request, reply, revisionOf, {
        confirm: get,
        answer: async () => success(listAnswer(await get())),
      });
    },
  );

  app.post(
    '/secrets/lists',
    operation('list.create', 'write', {
      summary: 'Create an empty secret list',
      body: NewListBody,
      success: successOf(ListAnswer),
      failures: [422],
    }),
    async (request) => success(listAnswer(await lists.create(callerOf(request), request.body.name))),
  );

  app.post(
    '/secrets/lists/:secretList',
    operation('list.update', 'write', {
      summary: 'Rename a secret list',
      params: ListPath,
      body: RenameListBody,
      success: successOf(ListAnswer),
      failures: [404, 422],
    }),
    async (request) => {
      const list = parseReference(request.params.secretList);
      return success(listAnswer(await lists.rename(callerOf(request), list, request.body.name)));
    },
  );

  app.delete(
    '/secrets/lists/:secretList',
    operation('list.delete', 'write', {
      summary: 'Delete a secret list and its values',
      params: ListPath,
      success: Done,
      failures: [404],
    }),
    async (request) => {
      await lists.delete(callerOf(request), parseReference(request.params.secretList));
      return success(null);
    },
  );
}
