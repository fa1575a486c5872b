import type { Pause } from './timing';

/** Why work that was to be done between two rounds of a loop was not: the loop has ended. */
export class LoopEndedError extends Error {
  override readonly name = 'LoopEndedError';
}

interface Waiting<P> {
  readonly begin: (place: P) => Promise<void>;
  readonly refuse: (error: Error) => void;
}

/** Work that is done between two rounds of a loop, hence never beside one. @typeParam P what the loop tells about the place it has come to */
export class Interludes<P> {
  private waiting: Waiting<P>[] = [];
  private ended = false;

  /** @param pause in which the loop may be asleep */
  constructor(private readonly pause: Pause) {}

  get pending(): boolean {
    return this.waiting.length > 0;
  }

  /** @throws what `work` throws, or LoopEndedError */
  do<T>(work: (place: P) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.ended) return reject(new LoopEndedError('the loop has ended'));
      this.waiting.push({ begin: (place) => work(place).then(resolve, reject), refuse: reject });
      this.pause.wake();
    });
  }

  /** For the loop, between two rounds. Never rejects. */
  async run(place: P): Promise<void> {
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) await next.begin(place);
  }

  /** For the loop, when there is no further round. */
  end(): void {
    this.ended = true;
    for (const { refuse } of this.waiting.splice(0)) refuse(new LoopEndedError('the loop has ended'));
  }
}
