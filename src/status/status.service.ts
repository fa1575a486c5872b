import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import { readLeader, readLeaderPlace, readListeners, type LeaderPlace, type Listeners } from './listeners.sql';
import {
  countByObserver,
  findListeners,
  readStatusDetail,
  type ObserverCounts,
  type ListenerStatus,
  type StatusDetail,
} from './status-detail.sql';
import { readStatus, type StreamStatus } from './status.sql';

export { leading, type LeaderPlace, type Listeners } from './listeners.sql';
export type { EndpointStatus, ListenerStatus, ObserverCounts, PendingCounts, StatusDetail } from './status-detail.sql';
export { LAG_COUNTED, type StreamStatus } from './status.sql';

/** How a stream is: who leads it, how far it is behind, what waits and what is dead. */
@Injectable()
export class Status {
  constructor(private readonly database: Database) {}

  summary(stream: string): Promise<StreamStatus> {
    return this.database.use((client) => readStatus(client, stream));
  }

  detail(stream: string): Promise<StatusDetail> {
    return this.database.use((client) => readStatusDetail(client, stream));
  }

  /** The instances of the stream, and which of them leads. */
  listeners(stream: string): Promise<Listeners> {
    return this.database.use((client) => readListeners(client, stream));
  }

  /** Instances of all streams whose id begins so. */
  listenersCalled(id: string): Promise<ListenerStatus[]> {
    return this.database.use((client) => findListeners(client, id));
  }

  /** Who leads now, as a stand-by would judge; null when nobody does. */
  leader(stream: string): Promise<string | null> {
    return this.database.use((client) => readLeader(client, stream));
  }

  /** The same, with where its API is. */
  leaderPlace(stream: string): Promise<LeaderPlace | null> {
    return this.database.use((client) => readLeaderPlace(client, stream));
  }

  /** Observers of which something waits or lies dead. */
  observerCounts(stream: string): Promise<ObserverCounts[]> {
    return this.database.use((client) => countByObserver(client, stream));
  }
}
