// /healthz and /readyz: no key needed, nothing told but yes or no.

import { Type } from '@sinclair/typebox';
import type { App } from '../app-types.ts';

const Alive = Type.Object({ status: Type.Literal('ok') });

/** `checkReady` rejects when the server can't serve right now. */
export function healthRoutes(app: App, checkReady: () => Promise<void>): void {
  app.get(
    '/healthz',
    {
      config: { isUncounted: true },
      schema: { summary: 'Whether the process is alive', tags: ['Health'], response: { 200: Alive } },
    },
    () => ({ status: 'ok' as const }),
  );

  app.get(
    '/readyz',
    {
      schema: {
        summary: 'Whether requests can be served: storage reachable, migrated, writable',
        tags: ['Health'],
        response: { 200: Alive, 503: Type.Ref('Failure', { description: 'Not now; see Retry-After.' }) },
      },
    },
    async () => {
      await checkReady();
      return { status: 'ok' as const };
    },
  );
}
