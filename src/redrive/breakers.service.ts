import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import { askForReset, readDone, withdrawReset, type AskedReset } from '../delivery/breaker-resets.sql';
import { AskedDeliveries, type HeldEndpoint } from './asked-deliveries.service';

export type { AskedReset as ResetWish } from '../delivery/breaker-resets.sql';

/** `no answer`: nobody who leads has done it in time, and nobody will. */
export type ResetEnd = 'closed' | 'open' | 'half-open' | 'no breaker' | 'not led' | 'no answer';

const LOOK_EVERY = 100;

/** Circuit breakers of the instance that leads, from elsewhere. */
@Injectable()
export class Breakers {
  constructor(
    private readonly database: Database,
    private readonly asked: AskedDeliveries,
  ) {}

  /** Those that are not closed. */
  held(): Promise<HeldEndpoint[]> {
    return this.asked.held();
  }

  /** Whether anybody has circuit breakers at the moment. */
  isLed(): Promise<boolean> {
    return this.asked.isLed();
  }

  /** Has a breaker closed. @param wait milliseconds @returns what it was */
  async reset(stream: string, wish: AskedReset, wait: number): Promise<ResetEnd> {
    if (!(await this.asked.isLed())) return 'not led';
    const { endpoint } = wish;
    await this.database.use((client) => askForReset(client, stream, wish));
    for (const until = performance.now() + wait; performance.now() < until;) {
      const done = await this.database.use((client) => readDone(client, stream, endpoint));
      if (done !== null) return endOf(done.was);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    }
    // It would be closed at a time when nobody expects it any more.
    if (await this.database.use((client) => withdrawReset(client, stream, endpoint))) return 'no answer';
    const done = await this.database.use((client) => readDone(client, stream, endpoint));
    return endOf(done?.was ?? null);
  }
}

function endOf(was: string | null): ResetEnd {
  return was === 'open' || was === 'half-open' || was === 'closed' ? was : 'no breaker';
}
