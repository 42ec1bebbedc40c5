// The most that Fastify itself can do: the same routes, schemas and bytes as the real server, but from constants, and
// one log line a request; without authentication, storage or sealing. Run as a process of its own.

import { readFileSync } from 'node:fs';
import { argv } from 'node:process';
import { Type } from '@sinclair/typebox';
import { type FastifyReply, fastify } from 'fastify';
import { SHARED_SCHEMAS } from '../../src/http/routes/operation.ts';
import { Failure, successOf } from '../../src/http/schemas/answer-envelope.ts';
import { ListPath, ValuePath } from '../../src/http/schemas/atoms.ts';
import { ListAnswer } from '../../src/http/schemas/lists.ts';
import { ChangeValueBody, NewValueBody, ValueAnswer } from '../../src/http/schemas/values.ts';
import { createLogger } from '../../src/logger.ts';
import type { Answers } from './answers.ts';

const [, , portText, answersFile = ''] = argv;
const answers: Answers = JSON.parse(readFileSync(answersFile, 'utf8'));
const logger = createLogger('info');

const app = fastify();
for (const schema of SHARED_SCHEMAS) app.addSchema(schema);
app.addHook('onResponse', (request, reply, done) => {
  const { method, routeOptions } = request;
  logger.info(
    {
      requestId: request.id,
      method,
      route: routeOptions.url ?? 'unknown',
      status: reply.statusCode,
      durationMs: Math.round(reply.elapsedTime * 1000) / 1000,
      keyId: 1,
    },
    'request',
  );
  done();
});

function answer<T>(reply: FastifyReply, { headers, body }: { readonly headers: Record<string, string>; body: T }): T {
  reply.headers(headers);
  return body;
}

const one = { params: ValuePath, response: { 200: successOf(ValueAnswer) } };
const LIST = '/api/secrets/lists/:secretList';
app.get(`${LIST}/values/:secretListValue`, { schema: one }, (_request, reply) => answer(reply, answers.value));
app.get(
  `${LIST}/values`,
  { schema: { params: ListPath, response: { 200: successOf(Type.Array(ValueAnswer)) } } },
  (_request, reply) => answer(reply, answers.listValues),
);
app.get(
  '/api/secrets/all-values',
  { schema: { response: { 200: successOf(Type.Array(ValueAnswer)) } } },
  (request, reply) => {
    if (request.headers['if-none-match'] !== undefined)
      return (reply as FastifyReply).code(304).headers(answers.notModified.headers).send();
    return answer(reply, answers.allValues);
  },
);
app.get(
  '/api/secrets/lists',
  { schema: { response: { 200: successOf(Type.Array(ListAnswer)), '4xx': Failure } } },
  (request, reply) => {
    if (request.headers.authorization === answers.refusedAuthorization) {
      return reply.code(answers.refused.status).headers(answers.refused.headers).send(answers.refused.body);
    }
    return answer(reply, answers.lists);
  },
);
app.post(
  `${LIST}/values`,
  { schema: { params: ListPath, body: NewValueBody, response: one.response } },
  (_request, reply) => answer(reply, answers.value),
);
app.post(`${LIST}/values/:secretListValue`, { schema: { ...one, body: ChangeValueBody } }, (_request, reply) =>
  answer(reply, answers.value),
);
await app.listen({ host: '127.0.0.1', port: Number(portText) });
