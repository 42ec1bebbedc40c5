// secret-manager serve: starts the server, and ends it in order.

import type { Socket } from 'node:net';
import type { Command } from 'commander';
import { composeServer, listeningUrl, type Server, urlOf, VERSION } from '../compose.ts';
import { type Config, readConfig } from '../config.ts';
import { OperatorError } from '../domain/errors.ts';
import { createLogger, drainStandardOutput, type Logger } from '../logger.ts';
import { EXIT } from './exit-codes.ts';
import { printNotice } from './output.ts';

/** SIGTERM to exit takes 10 s at most; connections that are still busy then are cut. */
const CLOSE_IDLE_EVERY_MS = 50;
const CUT_CONNECTIONS_AFTER_MS = 8_000;
const EXIT_ANYWAY_AFTER_MS = 9_500;
const LAST_LOG_LINES_MS = 500;

export function serveCommand(program: Command): void {
  program
    .command('serve', { isDefault: true })
    .description('serve the API; settings come from the environment, see the README')
    .option('--accept-rollback', 'go on with a database that lost what it had; for one start, and an audit event')
    .action(serve);
}

async function serve(options: { readonly acceptRollback?: boolean }): Promise<void> {
  const config = readConfig();
  const logger = createLogger(config.logLevel);
  let stop: (reason: string, exitCode: number) => void = (_reason, exitCode) => process.exit(exitCode);
  const server = await composeServer(config, logger, () => stop('a failed fsync', EXIT.storage), {
    acceptRollback: options.acceptRollback === true,
  });
  stop = createStop(server, logger);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    process.removeAllListeners(signal).on(signal, () => stop(signal, EXIT.ok));
  }
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'unexpected error');
    stop('an unexpected error', EXIT.failure);
  });

  const address = await listen(server, config);
  logger.info({ address, version: VERSION, node: process.version, dataDirectory: config.dataDirectory }, 'listening');
  if (config.publicUrl === undefined && reachable(address) !== address) {
    logger.warn('SECRET_MANAGER_PUBLIC_URL is unset: seed URLs name an address that machines cannot reach');
  }
  if (process.stdout.isTTY) printNotice(banner(address, config));
  announceFirstKey(server, config, address);
}

async function listen(server: Server, config: Config): Promise<string> {
  const { host, port } = config;
  try {
    await server.app.listen({ host, port });
  } catch (error) {
    await server.close();
    // The key exists from now on, and there is no later moment to show it.
    announceFirstKey(server, config, urlOf(host, port));
    const code = (error as NodeJS.ErrnoException).code;
    throw new OperatorError(
      'configuration',
      `The server cannot listen on ${host}, port ${port} (${code}); choose another HOST or PORT, or stop what uses it.`,
      { cause: error },
    );
  }
  return listeningUrl(server.app, host);
}

/** Node closes idle connections once, and never those that haven't sent a whole request yet. */
function closerOfIdleConnections({ server }: Server['app']): () => void {
  const unused = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  server.on('request', ({ socket }) => unused.delete(socket));
  return () => {
    for (const socket of unused) socket.destroy();
    server.closeIdleConnections();
  };
}

function createStop(server: Server, logger: Logger) {
  const closeIdleConnections = closerOfIdleConnections(server.app);
  let isStopping = false;
  return (reason: string, exitCode: number): void => {
    if (isStopping) return;
    isStopping = true;
    logger.info({ reason }, 'stopping');
    server.beginStopping();
    setInterval(closeIdleConnections, CLOSE_IDLE_EVERY_MS).unref();
    setTimeout(() => server.app.server.closeAllConnections(), CUT_CONNECTIONS_AFTER_MS).unref();
    setTimeout(() => process.exit(exitCode), EXIT_ANYWAY_AFTER_MS).unref();
    void finish(server, logger, exitCode);
  };
}

async function finish(server: Server, logger: Logger, exitCode: number): Promise<void> {
  let code = exitCode;
  try {
    await server.close();
    logger.info('stopped');
  } catch (error) {
    code = EXIT.failure;
    logger.error({ err: error }, 'stopping failed');
  }
  await drainStandardOutput(LAST_LOG_LINES_MS);
  process.exit(code);
}

function banner(address: string, config: Config): string {
  return `
  Secret Manager ${VERSION}
  listening    ${address}
  reference    ${address}/docs
  data         ${config.dataDirectory}
  root key     ${config.rootKeys === undefined ? 'root.key in the data directory' : 'from the environment'}
  stop with Ctrl+C
`;
}

/** An address that listens on all interfaces, as a client on this machine would write it. */
function reachable(address: string): string {
  return address.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
}

/** To standard error, so that a log which is kept doesn't keep the key. A key that the person chose isn't repeated. */
function announceFirstKey({ firstToken }: Server, config: Config, address: string): void {
  if (firstToken === undefined) return;
  const isChosen = config.firstApiKey !== undefined;
  printNotice(`
  This is the first start. The account "default" has this API key, shown this once:

    ${isChosen ? 'the one from the configuration' : firstToken}

  Try it:

    curl -H "Authorization: Bearer ${isChosen ? '$KEY' : firstToken}" ${config.publicUrl ?? reachable(address)}/api/secrets/lists
`);
}
