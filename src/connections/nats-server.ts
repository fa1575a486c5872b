import { jetstream, JetStreamApiError, JetStreamError, type JetStreamClient, type PubAck } from '@nats-io/jetstream';
import { connect, errors, headers as createHeaders, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node';
import { messageOf } from '../event/errors';
import { failed, type Outcome } from '../event/outcome';
import { connectionFailure } from './http/network-failure';
import { tlsMessage } from './http/tls-failure';

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
    const carried = createHeaders();
    for (const [name, value] of headers) carried.set(name, value);
    try {
      const stream = await this.connect(timeout);
      const left = Math.max(1, until - performance.now());
      const acknowledgement: Partial<PubAck> = await stream.publish(subject, body, { msgID: id, headers: carried, timeout: left });
      // The client takes any answer for an acknowledgement, also that of a service which happens to listen there.
      return (acknowledgement.stream ?? '') === '' ? NO_STREAM : { ok: true, status: null };
    } catch (error) {
      return this.closed ? failed('interrupted', 'the service is stopping') : outcomeOf(error as Error, timeout);
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

const NO_STREAM = failed('refused', 'what answers on this subject of NATS is no stream; nothing is stored');

function outcomeOf(error: Error, timeout: number): Outcome {
  const { cause } = error;
  const message = messageOf(error);
  if (error instanceof JetStreamApiError) {
    const { code, description } = error.apiError();
    return failed(code >= 500 ? 'unavailable' : 'refused', `NATS answers: ${description} (${code})`);
  }
  if (error instanceof JetStreamError || error instanceof SyntaxError) return NO_STREAM;
  if (cause instanceof errors.RequestError && cause.isNoResponders())
    return failed('unavailable', 'no stream of NATS takes this subject, or JetStream is not available; create a stream for it');
  if (error instanceof errors.AuthorizationError || error instanceof errors.UserAuthenticationExpiredError)
    return failed('configuration', 'NATS does not accept the user and password of NATS_URL');
  if (error instanceof errors.PermissionViolationError || cause instanceof errors.PermissionViolationError)
    return failed('configuration', `NATS does not let the user of NATS_URL publish there: ${message}`);
  if (error instanceof errors.TimeoutError || cause instanceof errors.TimeoutError)
    return failed('timeout', `no acknowledgement from NATS within ${timeout} ms`);
  if (error instanceof errors.InvalidArgumentError || error instanceof errors.InvalidSubjectError) return failed('refused', message);
  const source = cause instanceof Error ? cause : error;
  const kind = connectionFailure((source as { code?: string }).code ?? '');
  return failed(kind, kind === 'tls' ? tlsMessage(source) : `NATS: ${messageOf(source)}`);
}
