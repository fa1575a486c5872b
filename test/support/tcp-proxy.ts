import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** Between a client and a server, on this machine: what a network can do to a connection. */
export interface TcpProxy {
  readonly port: number;
  /** Nothing passes any more, and nobody is told: a half-open connection. New connections are accepted and hang. */
  blackhole(): void;
  /** Passes again, for connections made from now on. */
  restore(): void;
  /** All connections are reset. */
  reset(): void;
  close(): Promise<void>;
}

export async function startTcpProxy(host: string, port: number): Promise<TcpProxy> {
  let open = true;
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
  };
  const server = createServer((client) => {
    keep(client);
    if (!open) return;
    const upstream = connect(port, host);
    keep(upstream);
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    blackhole: () => {
      open = false;
      for (const socket of sockets) socket.unpipe().pause();
    },
    restore: () => void (open = true),
    reset: () => sockets.forEach((socket) => socket.resetAndDestroy()),
    close: async () => {
      sockets.forEach((socket) => socket.destroy());
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
