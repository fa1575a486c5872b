import { Injectable } from '@nestjs/common';
import { ServiceConfiguration } from '../config/service-configuration';
import { messageOf } from '../event/errors';
import { ServiceLogger } from '../event/service-logger';
import { Timers, type EndTimer } from '../event/timers';
import { Reloader } from './reloader';

const LOOK_EVERY = 1_000;

/**
 * Reloads when the observers file has changed. By its content and not by notices of the file system: a mounted ConfigMap is a link that is
 * exchanged, and an editor may write a new file in place of the old one. What is half written when it is looked at has changed again at the next look.
 */
@Injectable()
export class FileWatch {
  private end: EndTimer = () => Promise.resolve();
  /** What runs, or was refused. */
  private known: string;
  private seen: string;

  constructor(
    private readonly reloader: Reloader,
    private readonly configuration: ServiceConfiguration,
    private readonly logger: ServiceLogger,
    private readonly timers: Timers,
  ) {
    this.known = reloader.current.configuration.file.source.text;
    this.seen = this.known;
  }

  start(): void {
    this.end = this.timers.every('file watch', LOOK_EVERY, () => this.look());
  }

  stop(): Promise<void> {
    return this.end();
  }

  private async look(): Promise<void> {
    let text: string;
    try {
      text = this.configuration.source.read();
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
