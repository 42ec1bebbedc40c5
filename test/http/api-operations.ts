// The operations of the API as openapi.yaml lists them, for tests that hold for each of them.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export interface ApiOperation {
  readonly method: string;
  /** With `{secretList}` and `{secretListValue}` in it. */
  readonly path: string;
  readonly isWrite: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: what OpenAPI allows here is wider than what a test looks at.
  readonly description: any;
}

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
        isWrite: method !== 'get',
        description,
      })),
    );
}

/** The operation's path with these in the place of its parameters. */
export function fillPath({ path }: Pick<ApiOperation, 'path'>, list: string | number, value: string | number): string {
  return path.replace('{secretListValue}', encodeURIComponent(value)).replace('{secretList}', encodeURIComponent(list));
}

/** A body that the operation would take: text in each of its fields. */
export function fillBody({ description }: ApiOperation): Record<string, string> | undefined {
  const fields = description.requestBody?.content['application/json'].schema.properties;
  return fields === undefined ? undefined : Object.fromEntries(Object.keys(fields).map((field) => [field, 'new']));
}
