// Listening and closing of servers, with errors that say what to do.

import type { AddressInfo, Server, Socket } from 'node:net';
import { HoldfastError } from '#protocol/errors.ts';

/** Resolves to the real port. Errors: `port-busy`, `bad-config`. */
export async function listenOn(
  server: Server,
  host: string,
  port: number,
  variable: string,
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port, variable)));
    server.listen(port, host, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
}

/** Stops listening and destroys every open connection. */
export async function closeServer(server: Server, connections: ReadonlySet<Socket>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const connection of connections) connection.destroy();
  await closed;
}

function listenError(
  error: NodeJS.ErrnoException,
  host: string,
  port: number,
  variable: string,
): HoldfastError {
  if (error.code === 'EADDRINUSE') {
    return new HoldfastError('port-busy', `port ${port} on ${host} is in use`, {
      hint: `stop what uses it, or set ${variable} to another port (0 takes a free one)`,
      cause: error,
    });
  }
  return new HoldfastError('bad-config', `cannot listen on ${host}:${port}: ${error.message}`, {
    hint: `check ${variable} and the address to listen on`,
    cause: error,
  });
}
