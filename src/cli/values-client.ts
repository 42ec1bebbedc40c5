// Fetches an account's values over the documented API, from this server or from the hosted service.

import type { ClientConfig } from '../config.ts';
import { OperatorError } from '../domain/errors.ts';

const TIMEOUT_MS = 30_000;

/** Secret key to value. Throws OperatorError (`server`) when the server can't be reached or refuses. */
export async function fetchValues({ apiUrl, apiKey }: ClientConfig): Promise<Map<string, string>> {
  const response = await request(new URL('secrets/all-values', apiUrl), apiKey);
  if (response.status === 401 || response.status === 403) {
    throw new OperatorError('server', `${apiUrl.host} refuses the API key; check SECRET_MANAGER_API_KEY.`);
  }
  const values = response.ok ? readValues(await response.json().catch(() => undefined)) : undefined;
  if (values === undefined) {
    throw new OperatorError(
      'server',
      `${apiUrl.host} answered HTTP ${response.status} without values; check SECRET_MANAGER_URL, or try again.`,
    );
  }
  return values;
}

async function request(url: URL, apiKey: string): Promise<Response> {
  try {
    return await fetch(url, {
      headers: { authorization: `Bearer ${apiKey}` },
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    const { code = 'no connection' } = ((error as Error).cause ?? error) as NodeJS.ErrnoException;
    throw new OperatorError(
      'server',
      `${url.host} cannot be reached (${code}); check SECRET_MANAGER_URL, or try again.`,
    );
  }
}

function readValues(answer: unknown): Map<string, string> | undefined {
  const { data } = (answer ?? {}) as { data?: unknown };
  if (!Array.isArray(data)) return undefined;
  const values = new Map<string, string>();
  for (const each of data) {
    const { secret_key: key, secret_value: value } = each ?? {};
    if (typeof key !== 'string' || typeof value !== 'string') return undefined;
    values.set(key, value);
  }
  return values;
}
