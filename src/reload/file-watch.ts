import type { Logger } from 'pino';
import { messageOf } from '../event/errors';
import type { Reloader } from './reloader';

const LOOK_EVERY = 1_000;

/**
 * Reloads when the observers file has changed. By its content and not by notices of the file system: a mounted ConfigMap is a link that is
 * exchanged, and an editor may write a new file in place of the old one. What is half written when it is looked at has changed again at the next look.
 */
export class FileWatch {
  private timer: NodeJS.Timeout | null = null;
  private looking: Promise<void> = Promise.resolve();
  /** What runs, or was refused. */
  private known: string;
  private seen: string;

  /** @param read gives the text of the file */
  constructor(
    private readonly reloader: Reloader,
    private readonly read: () => string,
    private readonly logger: Logger,
    private readonly every = LOOK_EVERY,
  ) {
    this.known = reloader.current.configuration.file.source.text;
    this.seen = this.known;
  }

  start(): void {
    this.timer = setTimeout(() => {
      this.looking = this.look().finally(() => {
        if (this.timer !== null) this.start();
      });
    }, this.every);
  }

  async stop(): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    await this.looking;
  }

  private async look(): Promise<void> {
    let text: string;
    try {
      text = this.read();
    } catch (error) {
      this.logger.warn({ err: messageOf(error) }, 'the observers file cannot be read; what runs goes on');
      return;
    }
    const settled = text === this.seen;
    this.seen = text;
    if (!settled || text === this.known) return;
    this.known = text;
    // Why it was not possible has been logged.
    await this.reloader.reload('file watch').catch(() => undefined);
  }
}
