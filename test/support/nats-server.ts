import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jetstreamManager, type JetStreamManager, type StoredMsg } from '@nats-io/jetstream';
import { connect, type ConnectionOptions } from '@nats-io/transport-node';
import { freePort, SpawnedServer } from './spawned-server';

export interface TestNats {
  readonly host: string;
  readonly server: SpawnedServer;
  /** Sees what the actions did. */
  manage<T>(work: (manager: JetStreamManager) => Promise<T>): Promise<T>;
  /** All messages of a stream. */
  messages(stream: string): Promise<StoredMsg[]>;
  close(): Promise<void>;
}

/** A real NATS server with JetStream on a port of its own. @param config in its own language, such as an authorization block */
export async function startNats(config = '', access: ConnectionOptions = {}): Promise<TestNats> {
  const port = await freePort();
  const server = new SpawnedServer('nats-server', (folder) => ['-c', join(folder, 'nats.conf')], /Server is ready/);
  writeFileSync(
    join(server.folder, 'nats.conf'),
    `host: 127.0.0.1\nport: ${port}\njetstream { store_dir: "${server.folder}" }\nmax_payload: 65536\n${config}\n`,
  );
  await server.start();
  const host = `127.0.0.1:${port}`;
  const manage = async <T>(work: (manager: JetStreamManager) => Promise<T>): Promise<T> => {
    const connection = await connect({ servers: host, ...access });
    try {
      return await work(await jetstreamManager(connection));
    } finally {
      await connection.close();
    }
  };
  const messages = (stream: string): Promise<StoredMsg[]> =>
    manage(async ({ streams }) => {
      const { state } = await streams.info(stream);
      const found: StoredMsg[] = [];
      for (let seq = state.first_seq; seq <= state.last_seq && state.messages > 0; seq++) {
        const message = await streams.getMessage(stream, { seq });
        if (message !== null) found.push(message);
      }
      return found;
    });
  return { host, server, manage, messages, close: () => server.remove() };
}
