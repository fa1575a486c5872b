import type { ChannelModel, ConfirmChannel, Message } from 'amqplib';
import type { RabbitMessage } from './message';
import { ChannelEnded, NotConfirmed, Unroutable } from './outcomes';

interface Unconfirmed {
  readonly reject: (error: Error) => void;
  unroutable: boolean;
}

/** A channel on which each message is confirmed by itself. The server ends it over any message that it refuses. */
export class PublishChannel {
  private readonly unconfirmed = new Map<string, Unconfirmed>();
  private end: ChannelEnded | null = null;

  private constructor(
    private readonly channel: ConfirmChannel,
    private readonly onEnd: () => void,
  ) {
    // A message that no queue takes comes back before it is confirmed.
    channel.on('return', ({ properties }: Message) => {
      const returned = this.unconfirmed.get(String(properties.messageId));
      if (returned !== undefined) returned.unroutable = true;
    });
    channel.on('error', (error: Error & { readonly code?: number }) => this.finish(error.message, error.code ?? null));
    channel.on('close', () => this.finish('the channel was closed', null));
  }

  /** @param onEnd called when it can be used no more */
  static async open(model: ChannelModel, onEnd: () => void): Promise<PublishChannel> {
    return new PublishChannel(await model.createConfirmChannel(), onEnd);
  }

  /** Resolves when the server confirms it. */
  publish({ id, exchange, routingKey, contentType, headers, body }: RabbitMessage): Promise<void> {
    const properties = { mandatory: true, persistent: true, messageId: id, contentType, headers: Object.fromEntries(headers) };
    return new Promise((resolve, reject) => {
      if (this.end !== null) return reject(this.end);
      const mine: Unconfirmed = { reject, unroutable: false };
      const settle = (refused: unknown): void => {
        if (this.unconfirmed.get(id) !== mine || this.end !== null) return;
        this.unconfirmed.delete(id);
        if (refused !== null && refused !== undefined) reject(new NotConfirmed());
        else if (mine.unroutable) reject(new Unroutable());
        else resolve();
      };
      // What cannot be written at all is thrown here.
      this.channel.publish(exchange, routingKey, Buffer.from(body), properties, settle);
      this.unconfirmed.set(id, mine);
    });
  }

  close(): void {
    if (this.end === null) void this.channel.close().catch(() => undefined);
  }

  private finish(message: string, code: number | null): void {
    if (this.end !== null) return;
    this.end = new ChannelEnded(message, code, this.unconfirmed.size);
    this.onEnd();
    for (const { reject } of this.unconfirmed.values()) reject(this.end);
    this.unconfirmed.clear();
  }
}
