// 405 with Allow for a known path and another method. Registered after the routes of a scope.

import { METHODS } from 'node:http';
import { ApiError } from '../../domain/errors.ts';
import type { App } from '../app-types.ts';

/** CONNECT never reaches a route. */
const ALL_METHODS = METHODS.filter((method) => method !== 'CONNECT');

/** Teaches the app the methods that Fastify doesn't know by itself. */
export function knowAllMethods(app: App): void {
  for (const method of ALL_METHODS) {
    if (!app.supportedMethods.includes(method)) app.addHttpMethod(method);
  }
}

/** Collects the routes that are registered from now on; the returned function adds the 405s for their paths. */
export function methodNotAllowed(app: App): () => void {
  const methodsByPath = new Map<string, Set<string>>();
  let isCollecting = true;
  app.addHook('onRoute', ({ routePath, method }) => {
    if (!isCollecting) return;
    const methods = methodsByPath.get(routePath) ?? new Set();
    for (const each of [method].flat()) methods.add(each);
    methodsByPath.set(routePath, methods);
  });

  return () => {
    isCollecting = false;
    for (const [path, methods] of methodsByPath) {
      const allowed = [...methods].sort().join(', ');
      app.route({
        url: path,
        method: ALL_METHODS.filter((method) => !methods.has(method)),
        config: { right: 'read' },
        schema: { hide: true },
        onRequest: (_request, reply, done) => {
          reply.header('allow', allowed);
          done(new ApiError('method_not_allowed'));
        },
        handler: () => undefined,
      });
    }
  };
}
