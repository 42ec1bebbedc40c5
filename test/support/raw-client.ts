// HTTP by hand over a socket: sends any bytes, well formed or not, and reads the answers one after another.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const HEAD_END = Buffer.from('\r\n\r\n');

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** Head and body as they came. */
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of an answer.
  readonly json: any;
}

export interface RawConnection {
  readonly socket: Socket;
  send(data: string | Uint8Array): void;
  /** The next answer; rejects when the server closes before it is whole. `withoutBody` is for answers to HEAD. */
  answer(options?: { withoutBody?: boolean }): Promise<RawAnswer>;
  /** Whether the server closes the connection within that time. */
  closesWithin(milliseconds: number): Promise<boolean>;
  destroy(): void;
}

export async function openRaw(port: number): Promise<RawConnection> {
  const socket = connect(port, '127.0.0.1');
  let received: Buffer = Buffer.alloc(0);
  let isClosed = false;
  let wake = () => {};
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    wake();
  });
  // A server that refuses a request in the middle may reset the connection.
  socket.on('error', () => {});
  for (const event of ['end', 'close']) {
    socket.on(event, () => {
      isClosed = true;
      wake();
    });
  }
  await Promise.race([once(socket, 'connect'), once(socket, 'close')]);

  async function changed(): Promise<void> {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }

  return {
    socket,
    send: (data) => void socket.write(data),

    async answer({ withoutBody = false } = {}) {
      for (;;) {
        const taken = takeAnswer(received, withoutBody);
        if (taken !== undefined) {
          received = taken.rest;
          return taken.answer;
        }
        if (isClosed) throw new Error(`closed before the answer was whole: ${received.toString()}`);
        await changed();
      }
    },

    async closesWithin(milliseconds) {
      let isOver = false;
      const timer = setTimeout(() => {
        isOver = true;
        wake();
      }, milliseconds);
      while (!isClosed && !isOver) await changed();
      clearTimeout(timer);
      return isClosed;
    },

    destroy: () => void socket.destroy(),
  };
}

/** One connection, one answer. */
export async function askRaw(port: number, data: string | Uint8Array): Promise<RawAnswer> {
  const connection = await openRaw(port);
  connection.send(data);
  try {
    return await connection.answer();
  } finally {
    connection.destroy();
  }
}

/** A request with `Host`; the other headers as given, one a line. */
export function rawRequest(requestLine: string, headers: readonly string[] = [], body = ''): string {
  return [`${requestLine} HTTP/1.1`, 'Host: localhost', ...headers, '', body].join('\r\n');
}

/** undefined while the answer isn't whole. Every answer of this server has a Content-Length. */
function takeAnswer(received: Buffer, withoutBody: boolean): { answer: RawAnswer; rest: Buffer } | undefined {
  const headEnd = received.indexOf(HEAD_END);
  if (headEnd === -1) return undefined;
  const bodyStart = headEnd + HEAD_END.length;
  const [statusLine = '', ...lines] = received.subarray(0, headEnd).toString().split('\r\n');
  const headers = new Map(lines.map((line) => splitHeader(line)));
  const status = Number(statusLine.split(' ')[1]);
  const bodyEnd = bodyStart + (withoutBody || status < 200 ? 0 : Number(headers.get('content-length') ?? '0'));
  if (received.length < bodyEnd) return undefined;
  const body = received.subarray(bodyStart, bodyEnd).toString();
  const isJson = headers.get('content-type')?.startsWith('application/json') === true && body !== '';
  const text = received.subarray(0, bodyEnd).toString();
  const answer = { status, headers, body, text, json: isJson ? JSON.parse(body) : undefined };
  return { answer, rest: received.subarray(bodyEnd) };
}

function splitHeader(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}
