import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Milliseconds for the head of a request, from the connection on; and for all of it. */
const HEAD = 10_000;
const WHOLE = 30_000;
/** Connections that may be open at once. */
const MOST = 1_024;
/** Of them those that have not sent a request yet. The oldest makes room for the newest, or a few hundred of them would keep the probes out. */
const MOST_SILENT = 256;
/** Node looks every 30 s by itself, and so a head could take 40. */
const LOOK_EVERY = 1_000;

/** What a connection may cost before it has asked anything. To be called before the server listens. */
export function boundConnections(server: Server): void {
  server.headersTimeout = HEAD;
  server.requestTimeout = WHOLE;
  server.maxConnections = MOST;
  // Read when it begins to listen; the types do not have it.
  (server as Server & { connectionsCheckingInterval: number }).connectionsCheckingInterval = LOOK_EVERY;
  // In the order in which they came.
  const silent = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
    const [oldest] = silent;
    if (silent.size > MOST_SILENT) oldest?.destroy();
  });
  server.on('request', ({ socket }) => silent.delete(socket));
}
