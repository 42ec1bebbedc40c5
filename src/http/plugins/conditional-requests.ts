// Conditional reading (RFC 9110, section 13): what an account's lists and values say is one revision, and its ETag
// tells which. Answers are otherwise never to be stored; a client that keeps one by itself may ask whether it changed.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { callerOf } from './authenticate.ts';

/** To be raised when the same lists and values are answered in other bytes; a test notices. */
export const ANSWER_FORMAT = 1;
const WEAK = 'W/';

/** The revision of an account's lists and values. */
export type RevisionOf = (accountId: number) => Promise<string>;

interface ConditionalAnswer<T> {
  /** Throws when what is asked for isn't there; opens nothing. Left out where that is known already. */
  readonly confirm?: () => Promise<unknown>;
  readonly answer: () => Promise<T>;
}

/**
 * Answers 304 when the client has what it asks for in the current revision, and sets the ETag in any case. The revision
 * is read first: an answer can be newer than its tag, never older.
 */
export async function answerUnlessKnown<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  revisionOf: RevisionOf,
  { confirm, answer }: ConditionalAnswer<T>,
): Promise<T> {
  const revision = await revisionOf(callerOf(request).accountId);
  if (isKnown(request, revision)) {
    await confirm?.();
    // Sent already, whatever the route's schema says of its answers.
    return reply.header('etag', entityTag(revision)).code(304).send() as never;
  }
  const body = await answer();
  reply.header('etag', entityTag(revision));
  return body;
}

function isKnown({ headers }: FastifyRequest, revision: string): boolean {
  const tags = headers['if-none-match'];
  if (tags === undefined) return false;
  if (tags.trim() === '*') return true;
  const current = entityTag(revision);
  return tags.split(',').some((tag) => withoutWeakness(tag.trim()) === current);
}

function entityTag(revision: string): string {
  return `"${ANSWER_FORMAT}-${revision}"`;
}

function withoutWeakness(tag: string): string {
  return tag.startsWith(WEAK) ? tag.slice(WEAK.length) : tag;
}
