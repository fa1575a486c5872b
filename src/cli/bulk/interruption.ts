import { Pause } from '../../event/timing';

/** Ctrl-C as a request to stop between two items; a second one does not wait. */
export class Interruption {
  interrupted = false;
  private readonly pause = new Pause();
  private tell: () => void = () => undefined;
  /** Resolves when it happens. */
  readonly happened = new Promise<void>((resolve) => (this.tell = resolve));

  private readonly onSignal = (): void => {
    if (this.interrupted) process.exit(130);
    this.interrupted = true;
    this.pause.wake();
    this.tell();
  };

  constructor() {
    process.on('SIGINT', this.onSignal).on('SIGTERM', this.onSignal);
  }

  /** Resolves early when it is interrupted. */
  sleep(milliseconds: number): Promise<void> {
    if (this.interrupted || milliseconds <= 0) return Promise.resolve();
    return this.pause.for(milliseconds);
  }

  end(): void {
    process.off('SIGINT', this.onSignal).off('SIGTERM', this.onSignal);
  }
}
