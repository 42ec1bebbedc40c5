// Structured logs on standard output. Only what is named here is ever written: no URL, no header, no body, no error
// text of a library that could quote one.

import { type DestinationStream, type Logger, pino } from 'pino';
import type { LogLevel } from './config.ts';

export type { Logger } from 'pino';

/** `destination` is standard output unless a test says otherwise. */
export function createLogger(level: LogLevel, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: describeError },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

/** Name, code and the places in our code; a message of ours is fixed text, one of a library's could quote input. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { name: 'unknown' };
  const { name, stack } = error;
  const code = (error as NodeJS.ErrnoException).code;
  const places = stack
    ?.split('\n')
    .filter((line) => line.startsWith('    at '))
    .map((line) => line.trim());
  const cause = error.cause === undefined ? undefined : describeError(error.cause);
  return { name, code, places, cause };
}
