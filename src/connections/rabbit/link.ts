import type { Duplex } from 'node:stream';
import { connect, type ChannelModel } from 'amqplib';
import { rabbitServers } from '../../config/rabbit-address';
import type { RabbitMessage } from './message';
import { PublishChannel } from './publish-channel';
import { ChannelEnded, LinkEnded } from './outcomes';

/** One connection, with a channel for each exchange: the server ends a channel over one message, and with it all the others on it. */
export class RabbitLink {
  /** Why the server takes nothing just now, or null: short of memory, or of room on its disk. */
  blocked: string | null = null;
  /** Resolves when the connection is gone. */
  readonly ended: Promise<void>;
  private readonly channels = new Map<string, Promise<PublishChannel>>();
  private single: Promise<unknown> = Promise.resolve();
  private failure: Error | null = null;

  constructor(private readonly model: ChannelModel) {
    model.on('blocked', (reason: string) => (this.blocked = reason));
    model.on('unblocked', () => (this.blocked = null));
    // `close` follows.
    model.on('error', (error: Error) => (this.failure = error));
    this.ended = new Promise((resolve) => model.on('close', () => resolve()));
  }

  /** Resolves when the server confirms the message. */
  async publish(message: RabbitMessage): Promise<void> {
    try {
      const channel = await this.channelOf(message.exchange);
      await channel.publish(message);
    } catch (error) {
      if (!(error instanceof ChannelEnded)) throw this.failure ?? error;
      if (error.code === null)
        throw new LinkEnded(`the connection ended before the message was confirmed: ${this.failure?.message ?? error.message}`);
      // One of several was refused, and the server does not say which: each goes once more, by itself.
      if (error.unconfirmed <= 1) throw error;
      await this.publishAlone(message);
    }
  }

  get version(): string {
    return this.model.connection.serverProperties.version;
  }

  /** Without a farewell, for the server may hang. */
  cut(): void {
    const { stream } = this.model.connection as unknown as { readonly stream: Duplex };
    stream.destroy(new LinkEnded('the connection was dropped'));
  }

  private publishAlone(message: RabbitMessage): Promise<void> {
    const alone = async (): Promise<void> => {
      const channel = await PublishChannel.open(this.model, () => undefined);
      try {
        await channel.publish(message);
      } finally {
        channel.close();
      }
    };
    const turn = this.single.then(alone);
    this.single = turn.catch(() => undefined);
    return turn;
  }

  private channelOf(exchange: string): Promise<PublishChannel> {
    const known = this.channels.get(exchange);
    if (known !== undefined) return known;
    const opened = PublishChannel.open(this.model, () => this.channels.delete(exchange));
    this.channels.set(exchange, opened);
    opened.catch(() => this.channels.delete(exchange));
    return opened;
  }
}

/** The first server that can be reached. @param timeout milliseconds for all: one that hangs leaves time for the others */
export async function dialRabbit(urls: string, timeout: number): Promise<RabbitLink> {
  let failure = new Error('RABBITMQ_URL names no server');
  const servers = rabbitServers(urls) ?? [];
  for (const url of servers) {
    try {
      const clientProperties = { connection_name: 'fraiseql-observers' };
      return new RabbitLink(await connect(url.href, { timeout: Math.ceil(timeout / servers.length), clientProperties }));
    } catch (error) {
      failure = error as Error;
    }
  }
  throw failure;
}

/** Who answers. @param timeout milliseconds for each server */
export async function lookAtRabbit(urls: string, timeout: number): Promise<string> {
  const link = await dialRabbit(urls, timeout);
  link.cut();
  return `RabbitMQ ${link.version} answers`;
}
