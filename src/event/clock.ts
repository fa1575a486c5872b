/** Time as the product sees it. Injected, so that tests decide when an hour has passed. */
export abstract class Clock {
  /** Wall clock, milliseconds since 1970. Only for what people read and for dates that receivers send. */
  abstract now(): number;
  /** Milliseconds that never jump: for every duration and deadline. */
  abstract monotonic(): number;
}

export class SystemClock extends Clock {
  now(): number {
    return Date.now();
  }
  monotonic(): number {
    return performance.now();
  }
}

/** `2026-01-31T10:00:00Z`, of a time as PostgreSQL writes it into JSON. The service's sessions are in UTC. */
export function toTheSecond(time: string): string {
  return `${time.slice(0, 19)}Z`;
}
