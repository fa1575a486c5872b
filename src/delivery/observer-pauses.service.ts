import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import { pauseObserver, readPaused, resumeObserver, type PausedObserver } from './pauses.sql';

export type { PausedObserver } from './pauses.sql';

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

  /** @returns false when it was not paused */
  resume(stream: string, observer: string, by: string): Promise<boolean> {
    return this.database.use((client) => resumeObserver(client, stream, observer, by));
  }
}
