import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import { countResumed, pauseObserver, readPaused, resumeObserver, type PausedObserver, type Resumed } from './pauses.sql';

export type { PausedObserver, Resumed } from './pauses.sql';

/** The observers that people hold back. The leader's own view of them is `Pauses`. */
@Injectable()
export class ObserverPauses {
  constructor(private readonly database: Database) {}

  list(stream: string): Promise<PausedObserver[]> {
    return this.database.use((client) => readPaused(client, stream));
  }

  /** @returns false when it was paused already */
  pause(stream: string, observer: string, by: string, reason: string | null): Promise<boolean> {
    return this.database.use((client) => pauseObserver(client, stream, observer, by, reason));
  }

  /** @returns `changed` is false when it was not paused */
  resume(stream: string, observer: string, by: string): Promise<Resumed & { readonly changed: boolean }> {
    return this.database.use(async (client) => ({
      changed: await resumeObserver(client, stream, observer, by),
      ...(await countResumed(client, stream, observer)),
    }));
  }
}
