/** A wait that somebody may end early. One waits at a time; to wake nobody does nothing. */
export class Pause {
  private end: (() => void) | null = null;

  /** Resolves after so many milliseconds, or when it is woken. */
  for(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        if (this.end === end) this.end = null;
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      this.end = end;
    });
  }

  wake(): void {
    this.end?.();
  }
}

/** The work's result, or what `late` says when it takes longer. The work goes on; what becomes of it then is nobody's concern. */
export async function within<T, L>(work: Promise<T>, milliseconds: number, late: () => L): Promise<T | L> {
  let timer: NodeJS.Timeout | undefined;
  const alarm = new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds))).then(late);
  try {
    return await Promise.race([work, alarm]);
  } finally {
    clearTimeout(timer);
  }
}

/** For a long loop: after so many milliseconds of it everything else in this process gets its turn. */
export class TimeSlice {
  private since = performance.now();

  constructor(private readonly milliseconds: number) {}

  /** Asked on the hot path: only what is over is waited for. */
  get isOver(): boolean {
    return performance.now() - this.since >= this.milliseconds;
  }

  async giveWay(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.since = performance.now();
  }
}
