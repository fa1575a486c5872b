import type { JetStreamClient, PubAck } from '@nats-io/jetstream';
import type { NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node';
import { STOPPING, type Outcome } from '../event/outcome';

/** Messages whose acknowledgement is waited for at once. */
export const NATS_CONCURRENCY = 128;

export interface Message {
  /** The server drops a second message with the same id within its stream's duplicate window. */
  readonly id: string;
  readonly subject: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** The servers of NATS_URL. They are dialled when they are needed, and again after the connection was lost. */
export class NatsServer {
  private connected: Promise<JetStreamClient> | null = null;
  private connection: NatsConnection | null = null;
  private closed = false;

  constructor(private readonly urls: string) {}

  /** Until a stream has stored it. Never rejects: what goes wrong is an outcome. @param timeout milliseconds, dialling included */
  async publish({ id, subject, headers, body }: Message, timeout: number): Promise<Outcome> {
    const until = performance.now() + timeout;
    // Loaded when it is needed: a start has no use for it.
    const { headersOf, NO_STREAM, outcomeOf } = await import('./nats-protocol');
    try {
      const stream = await this.connect(timeout);
      const left = Math.max(1, until - performance.now());
      const acknowledgement: Partial<PubAck> = await stream.publish(subject, body, {
        msgID: id,
        headers: headersOf(headers),
        timeout: left,
      });
      // The client takes any answer for an acknowledgement, also that of a service which happens to listen there.
      return (acknowledgement.stream ?? '') === '' ? NO_STREAM : { ok: true, status: null };
    } catch (error) {
      return this.closed ? STOPPING : outcomeOf(error as Error, timeout);
    }
  }

  /** Messages under way end as `interrupted`. */
  async close(): Promise<void> {
    this.closed = true;
    await this.connected?.catch(() => undefined);
    await this.connection?.close();
  }

  private connect(timeout: number): Promise<JetStreamClient> {
    this.connected ??= this.dial(timeout).catch((error: unknown) => {
      this.connected = null;
      throw error;
    });
    return this.connected;
  }

  private async dial(timeout: number): Promise<JetStreamClient> {
    const { connect, jetstream } = await import('./nats-protocol');
    const connection = await connect({ ...optionsOf(this.urls), timeout });
    this.connection = connection;
    void connection.closed().then(() => (this.connected = null));
    return jetstream(connection);
  }
}

/** Credentials and TLS are the first server's: they are the same in all of a cluster. */
function optionsOf(urls: string): NodeConnectionOptions {
  const servers = urls.split(',').map((url) => new URL(url.trim()));
  const [first] = servers;
  const user = decodeURIComponent(first?.username ?? '');
  const pass = decodeURIComponent(first?.password ?? '');
  return {
    servers: servers.map(({ host }) => host),
    name: 'fraiseql-observers',
    // Lost, it is dialled again by the next try, whose outcome says what became of it.
    reconnect: false,
    ...(first?.protocol === 'tls:' ? { tls: {} } : {}),
    ...(user === '' ? {} : pass === '' ? { token: user } : { user, pass }),
  };
}

/** Who answers. @param timeout milliseconds */
export async function lookAtNats(urls: string, timeout: number): Promise<string> {
  const { connect } = await import('./nats-protocol');
  const connection = await connect({ ...optionsOf(urls), timeout });
  const { version = 'of an unknown version', jetstream = false } = connection.info ?? {};
  await connection.close();
  if (!jetstream) throw new Error('JetStream is switched off on this server, and no message can be published');
  return `NATS ${version} answers`;
}
