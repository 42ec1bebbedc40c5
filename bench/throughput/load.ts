// One burst of load on one server, by autocannon.

import autocannon from 'autocannon';

export const CONNECTIONS = 32;

export interface Load {
  readonly port: number;
  readonly connections?: number;
  readonly seconds?: number;
  readonly requests: readonly autocannon.Request[];
  readonly headers: Record<string, string>;
  readonly expectStatus?: readonly number[];
}

export interface Burst {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Throws when anything but the expected status was answered: a fast refusal is no result. */
export async function burst(load: Load): Promise<Burst> {
  const { port, connections = CONNECTIONS, seconds = 2, requests, headers, expectStatus = [200] } = load;
  const times: number[] = [];
  let unexpected = 0;
  const startedAt = performance.now();
  const { errors, timeouts } = await new Promise<autocannon.Result>((resolve, reject) => {
    const options = {
      url: `http://127.0.0.1:${port}`,
      connections,
      duration: seconds,
      headers,
      requests: [...requests],
    };
    autocannon(options, (error, result) => {
      if (error) reject(error);
      else resolve(result);
    }).on('response', (_client, status, _bytes, tookMs) => {
      times.push(tookMs);
      if (!expectStatus.includes(status)) unexpected += 1;
    });
  });
  const tookSeconds = (performance.now() - startedAt) / 1000;
  if (unexpected + errors + timeouts > 0 || times.length === 0) {
    throw new Error(`${unexpected} answers other than ${expectStatus}, ${errors} errors, ${timeouts} timeouts`);
  }
  times.sort((a, b) => a - b);
  return {
    requestsPerSecond: times.length / tookSeconds,
    p50Ms: percentile(times, 0.5),
    p99Ms: percentile(times, 0.99),
  };
}

/** Of times that are sorted. */
export function percentile(times: readonly number[], part: number): number {
  return times[Math.floor(times.length * part)] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}
