// Answers what Node's HTTP parser refuses before there is a request: same envelope, same headers, then closed.

import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { ConnectionError } from 'fastify';
import { ApiError, type ErrorCode } from '../../domain/errors.ts';
import type { Logger } from '../../logger.ts';
import { failure } from './error-handler.ts';
import { COMMON_HEADERS } from './request-rules.ts';

export function answerSocketError(error: ConnectionError, socket: Socket, logger: Logger): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const known = new ApiError(codeOf(error));
  const requestId = randomUUID();
  logger.info({ requestId, status: known.status, parserCode: error.code }, 'request refused by the parser');
  const body = JSON.stringify(failure(known));
  const headers = Object.entries(headersOf(requestId, body)).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${known.status} ${STATUS_CODES[known.status]}\r\n${headers.join('')}\r\n${body}`, () =>
    socket.destroy(),
  );
}

/** For `Expect` with anything but 100-continue. */
export function answerExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const known = new ApiError('expectation_failed');
  const body = JSON.stringify(failure(known));
  response.writeHead(known.status, headersOf(randomUUID(), body)).end(body);
}

function headersOf(requestId: string, body: string): Record<string, string> {
  return {
    ...COMMON_HEADERS,
    'x-request-id': requestId,
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  };
}

/** The packet that the parser was reading may hold a key: it is only looked at, never logged. */
function codeOf({ code, rawPacket }: ConnectionError): ErrorCode {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'request_timeout';
  if (code !== 'HPE_HEADER_OVERFLOW') return 'bad_request';
  const isStillInRequestLine =
    rawPacket !== undefined && !Buffer.from(rawPacket as unknown as Uint8Array).includes('\n');
  return isStillInRequestLine ? 'uri_too_long' : 'headers_too_large';
}
