// Answers what Node's HTTP parser refuses before there is a request: same envelope, same headers, then closed.

import { randomUUID } from 'node:crypto';
import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { ConnectionError } from 'fastify';
import { ApiError, type ErrorCode } from '../../domain/errors.ts';
import { MAX_HEADER_BYTES } from '../../domain/limits.ts';
import type { Logger } from '../../logger.ts';
import { failure } from './error-handler.ts';
import { COMMON_HEADERS } from './request-rules.ts';

export function answerSocketError(error: ConnectionError, socket: Socket, logger: Logger): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const known = new ApiError(codeOf(error, socket));
  const requestId = randomUUID();
  logger.info({ requestId, status: known.status, errorCode: known.code, parserCode: error.code }, 'request refused');
  const body = JSON.stringify(failure(known));
  const headers = Object.entries(headersOf(requestId, body)).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${known.status} ${STATUS_CODES[known.status]}\r\n${headers.join('')}\r\n${body}`, () =>
    socket.destroy(),
  );
}

/** For `Expect` with anything but 100-continue. */
export function answerExpectation(response: ServerResponse, logger: Logger): void {
  const known = new ApiError('expectation_failed');
  const requestId = randomUUID();
  logger.info({ requestId, status: known.status, errorCode: known.code }, 'request refused');
  const body = JSON.stringify(failure(known));
  response.writeHead(known.status, headersOf(requestId, body)).end(body);
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

function codeOf(error: ConnectionError, socket: Socket): ErrorCode {
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'request_timeout';
  if (error.code !== 'HPE_HEADER_OVERFLOW') return 'bad_request';
  return isRequestLineTooLong(error, socket) ? 'uri_too_long' : 'headers_too_large';
}

/** Only the first packet of a connection surely begins with a request line. It may hold a key: it is never logged. */
function isRequestLineTooLong({ rawPacket }: ConnectionError, socket: Socket): boolean {
  if (rawPacket === undefined) return false;
  const packet = Buffer.from(rawPacket as unknown as Uint8Array);
  const lineEnd = packet.indexOf('\n');
  return socket.bytesRead === packet.length && (lineEnd === -1 || lineEnd > MAX_HEADER_BYTES);
}
