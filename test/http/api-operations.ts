// The operations of the API as openapi.yaml lists them, for tests that hold for each of them.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export interface ApiOperation {
  readonly method: string;
  /** With `{secretList}`, `{secretListValue}` and `{instance}` in it. */
  readonly path: string;
  /** Needs a key that may write. */
  readonly isWrite: boolean;
  /** Takes user-data as it is too, not only as a field. */
  readonly takesDocument: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: what OpenAPI allows here is wider than what a test looks at.
  readonly description: any;
}

/** Those that read with a body: a document is sent, and nothing is kept of it. */
const POSTS_THAT_READ = new Set(['/api/cloud-init/render', '/api/cloud-init/check']);

/** Tells of other keys and of addresses. */
const READS_FOR_WRITERS = new Set(['/api/audit']);

export const OPENAPI_FILE = join(import.meta.dirname, '../../openapi.yaml');

export function readOpenapi() {
  return parse(readFileSync(OPENAPI_FILE, 'utf8'));
}

export function readOperations(): ApiOperation[] {
  const { paths } = readOpenapi();
  return Object.entries(paths as Record<string, Record<string, Record<string, unknown>>>)
    .filter(([path]) => path.startsWith('/api'))
    .flatMap(([path, byMethod]) =>
      Object.entries(byMethod).map(([method, description]) => ({
        method: method.toUpperCase(),
        path,
        isWrite: method === 'get' ? READS_FOR_WRITERS.has(path) : !POSTS_THAT_READ.has(path),
        takesDocument: POSTS_THAT_READ.has(path),
        description,
      })),
    );
}

/** The operation's path with these in the place of its parameters. */
export function fillPath(
  { path }: Pick<ApiOperation, 'path'>,
  list: string | number,
  value: string | number,
  instance: string | number = 'web-1',
): string {
  return path
    .replace('{secretListValue}', encodeURIComponent(value))
    .replace('{secretList}', encodeURIComponent(list))
    .replace('{instance}', encodeURIComponent(instance));
}

/** A body that the operation would take: text in each of its fields, or the document that is its example. */
export function fillBody({ description, takesDocument }: ApiOperation): Record<string, string> | undefined {
  const fields = description.requestBody?.content['application/json'].schema.properties;
  if (fields === undefined) return undefined;
  return Object.fromEntries(
    Object.keys(fields).map((field) => [field, takesDocument ? fields[field].examples[0] : 'new']),
  );
}
