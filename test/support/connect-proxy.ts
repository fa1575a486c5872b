import { createServer } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

/** A real proxy that makes tunnels (CONNECT). */
export interface ConnectProxy {
  readonly port: number;
  /** What CONNECT asked for, `host:port`, with the status that it got. */
  readonly asked: string[];
  /** Names that it knows besides those of this machine, and the port of this machine that they stand for. */
  readonly names: Map<string, number>;
  /** `user:password` that it wants; null: nothing. */
  credentials: string | null;
  close(): Promise<void>;
}

export async function startConnectProxy(): Promise<ConnectProxy> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
  };
  const server = createServer().on('connection', keep);
  server.on('connect', (request, client: Socket) => {
    const target = request.url ?? '';
    const answer = (status: number, reason: string): void => {
      proxy.asked.push(`${target} ${status}`);
      if (status === 200) client.write(`HTTP/1.1 200 ${reason}\r\n\r\n`);
      else client.end(`HTTP/1.1 ${status} ${reason}\r\ncontent-length: 6\r\n\r\nCANARY`);
    };
    const wanted = proxy.credentials === null ? undefined : `Basic ${Buffer.from(proxy.credentials).toString('base64')}`;
    if (wanted !== undefined && request.headers['proxy-authorization'] !== wanted) return answer(407, 'Proxy Authentication Required');
    const { hostname, port } = new URL(`http://${target}`);
    const upstream = connect(proxy.names.get(hostname) ?? Number(port), '127.0.0.1');
    keep(upstream);
    upstream.once('connect', () => {
      answer(200, 'Connection established');
      client.pipe(upstream).pipe(client);
    });
    return upstream.once('error', () => answer(502, 'Bad Gateway'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: ConnectProxy = {
    port: (server.address() as AddressInfo).port,
    asked: [],
    names: new Map(),
    credentials: null,
    close: async () => {
      sockets.forEach((socket) => socket.destroy());
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}
