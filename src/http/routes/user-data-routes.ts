// /api/cloud-init/render and /api/cloud-init/check: user-data as it is, or in base64 as the hosted build call has it.

import type { FastifyRequest } from 'fastify';
import { invalidFields } from '../../domain/errors.ts';
import type { UserDataService } from '../../services/user-data-service.ts';
import type { App } from '../app-types.ts';
import { callerOf } from '../plugins/authenticate.ts';
import { refuseEncoded } from '../plugins/bodies.ts';
import { success, successOf } from '../schemas/answer-envelope.ts';
import { CheckAnswer, checkAnswer, ScriptAnswer, ScriptContent } from '../schemas/user-data-answers.ts';
import { operation } from './operation.ts';

const RAW_TYPES = ['application/octet-stream', /^text\//];
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const FIELD = 'script_content';

export function userDataRoutes(app: App, userData: UserDataService): void {
  app.addContentTypeParser(
    RAW_TYPES as string[],
    { parseAs: 'buffer' },
    async (request: FastifyRequest, body: Buffer) => {
      refuseEncoded(request);
      return body;
    },
  );

  app.post(
    '/cloud-init/render',
    operation('user-data.render', 'read', {
      summary: 'Render user-data: put the values of the secrets in',
      content: ScriptContent,
      success: successOf(ScriptAnswer),
      failures: [422],
    }),
    async (request, reply) => {
      const document = documentOf(request);
      const rendered = await userData.renderOrRefuse(callerOf(request), document, FIELD);
      if (!Buffer.isBuffer(request.body)) return success({ script_content: Buffer.from(rendered).toString('base64') });
      reply.type(request.headers['content-type'] ?? 'application/octet-stream');
      return rendered as never;
    },
  );

  app.post(
    '/cloud-init/check',
    operation('user-data.check', 'read', {
      summary: 'Check user-data without rendering it',
      content: ScriptContent,
      success: successOf(CheckAnswer),
      failures: [422],
    }),
    async (request) => success(checkAnswer(await userData.check(callerOf(request).accountId, documentOf(request)))),
  );
}

function documentOf(request: FastifyRequest): Buffer {
  if (Buffer.isBuffer(request.body)) return request.body;
  const { [FIELD]: content } = request.body as Record<string, unknown>;
  const base64 = typeof content === 'string' ? content.replace(/\s+/g, '') : undefined;
  if (base64 === undefined || !BASE64.test(base64)) {
    throw invalidFields({ [FIELD]: ['Send script_content once, as base64; or the document itself as text/plain.'] });
  }
  return Buffer.from(base64, 'base64');
}
