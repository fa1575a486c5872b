import { failed, STOPPING, type Outcome } from '../event/outcome';
import { within } from '../event/timing';
import type { RabbitLink } from './rabbit/link';
import type { RabbitMessage } from './rabbit/message';

/** Messages whose confirmation is waited for at once. */
export const RABBIT_CONCURRENCY = 128;

/** The servers of RABBITMQ_URL, of which any one is used. It is dialled when it is needed, and again after it was lost. */
export class RabbitServer {
  private connected: Promise<RabbitLink> | null = null;
  private closed = false;

  constructor(private readonly urls: string) {}

  /** Until its queues have it. Never rejects: what goes wrong is an outcome. @param timeout milliseconds, dialling included */
  async publish(message: RabbitMessage, timeout: number): Promise<Outcome> {
    // Loaded when it is needed: a start has no use for it.
    const { blockedOutcome, outcomeOf } = await import('./rabbit/outcomes');
    if (this.closed) return STOPPING;
    const connected = this.connect(timeout);
    let link: RabbitLink | null = null;
    const attempt = async (): Promise<Outcome> => {
      try {
        link = await connected;
        await link.publish(message);
        return { ok: true, status: null };
      } catch (error) {
        return this.closed ? STOPPING : outcomeOf(error as Error);
      }
    };
    return within(attempt(), timeout, () => {
      // A confirmation that comes later would find nobody.
      this.drop(connected);
      const { blocked = null } = link ?? {};
      return blocked === null ? failed('timeout', `no confirmation from RabbitMQ within ${timeout} ms`) : blockedOutcome(blocked);
    });
  }

  /** Messages under way end as `interrupted`. */
  close(): void {
    this.closed = true;
    if (this.connected !== null) this.drop(this.connected);
  }

  private drop(connected: Promise<RabbitLink>): void {
    if (this.connected === connected) this.connected = null;
    connected.then((link) => link.cut()).catch(() => undefined);
  }

  private connect(timeout: number): Promise<RabbitLink> {
    if (this.connected !== null) return this.connected;
    const connected = this.dial(timeout);
    this.connected = connected;
    const forget = (): void => {
      if (this.connected === connected) this.connected = null;
    };
    connected.then((link) => void link.ended.then(forget), forget);
    return connected;
  }

  private async dial(timeout: number): Promise<RabbitLink> {
    const { dialRabbit } = await import('./rabbit/link');
    const link = await dialRabbit(this.urls, timeout);
    if (this.closed) link.cut();
    return link;
  }
}
