// Structured logs on standard output. Only what is named here is ever written: no URL, no header, no body, no error
// text of a library that could quote one.

import { type DestinationStream, type Logger, pino } from 'pino';
import type { LogLevel } from './config.ts';

export type { Logger } from 'pino';

/** What waits for a reader of standard output that is slow or stuck; beyond it, lines are dropped and counted. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** `destination` is standard output unless a test says otherwise. */
export function createLogger(level: LogLevel, destination: DestinationStream = standardOutput()): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: writeTime,
      formatters: { level: (label: string) => ({ level: label }) },
      serializers: { err: describeError },
    },
    destination,
  );
}

let writtenMs = 0;
let writtenTime = '';

/** Made once for all lines of a millisecond. */
function writeTime(): string {
  const nowMs = Date.now();
  if (nowMs !== writtenMs) {
    writtenMs = nowMs;
    writtenTime = `,"time":"${new Date(nowMs).toISOString()}"`;
  }
  return writtenTime;
}

/** What this turn of the event loop has logged, to be written at once. */
let linesOfThisTurn = '';
let droppedLines = 0;

/** Never blocks and never fails: a log that nobody reads, or that can't be written, must not stop the server. */
function standardOutput(): DestinationStream {
  process.stdout.on('error', () => undefined);
  process.once('exit', writeLines);
  return {
    write(line) {
      if (process.stdout.writableLength + linesOfThisTurn.length > MAX_WAITING_BYTES) {
        droppedLines += 1;
        return;
      }
      if (linesOfThisTurn === '') setImmediate(writeLines);
      if (droppedLines > 0) {
        linesOfThisTurn += `{"level":"warn","msg":"standard output was stuck","droppedLines":${droppedLines}}\n`;
        droppedLines = 0;
      }
      linesOfThisTurn += line;
    },
  };
}

function writeLines(): void {
  const lines = linesOfThisTurn;
  linesOfThisTurn = '';
  if (lines !== '') process.stdout.write(lines);
}

/** Resolves when all that was logged is written, or after the given time. */
export function drainStandardOutput(atMostMs: number): Promise<void> {
  writeLines();
  return new Promise((resolve) => {
    setTimeout(resolve, atMostMs).unref();
    process.stdout.write('', () => resolve());
  });
}

/** Name, code and the places in our code; a message of ours is fixed text, one of a library's could quote input. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { name: 'unknown' };
  const { name, message, stack = '' } = error;
  // What a message says must not pass for a place.
  const trace = stack.includes(message) ? stack.slice(stack.indexOf(message) + message.length) : '';
  const code = (error as NodeJS.ErrnoException).code;
  const places = trace
    .split('\n')
    .filter((line) => line.startsWith('    at '))
    .map((line) => line.trim());
  const cause = error.cause === undefined ? undefined : describeError(error.cause);
  return { name, code, places, cause };
}
