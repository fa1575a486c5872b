import type { Client } from 'pg';
import type { Settings } from '../../config/settings';
import type { Status } from '../../status/status.service';
import { laterOf, placeAt, type TailPlace } from '../../status/tail-place';
import type { Tail, TailBeginning, TailEntry, TailFilter } from '../../status/tail.service';

/** Entries that come at once; a terminal that was stopped for an hour gets the rest page by page. */
const PAGE = 1_000;

export interface FollowerOptions {
  readonly settings: Settings;
  readonly connect: () => Promise<Client>;
  readonly filter: TailFilter;
  readonly beginning: TailBeginning;
  readonly show: (entries: readonly TailEntry[]) => Promise<void>;
  /** What is not an entry: for people. */
  readonly say: (text: string) => void;
}

interface Followed {
  readonly client: Client;
  readonly tail: Tail;
  readonly status: Status;
}

/** Follows what happens over any number of connections: none is missed when it commits late, and none is shown twice. */
export class Follower {
  /** Null while there is no connection. */
  private followed: Followed | null = null;
  private place: TailPlace | null = null;
  /** When the server was started that the connection leads to. */
  private server = '';

  constructor(private readonly options: FollowerOptions) {}

  /** One look. @returns whether there is more to be had at once. @throws what the database failed with; the next call connects again */
  async look(): Promise<boolean> {
    const { filter, beginning, show } = this.options;
    const { tail } = await this.connected();
    const page = this.place === null ? await tail.recent(beginning, filter) : await tail.since(this.place.cursor, filter, PAGE);
    // Before it is shown: a failure to write ends the command, and a failure to read has shown nothing.
    this.place = { cursor: page.cursor, seen: laterOf(this.place?.seen ?? null, page.xid), server: this.server };
    await show(page.entries);
    return page.cursor.target !== null;
  }

  /** On the connection that is open, for what is asked beside. */
  async ask<T>(question: (status: Status) => Promise<T>): Promise<T> {
    return question((await this.connected()).status);
  }

  /** After a failure: the connection counts as lost. */
  async drop(): Promise<void> {
    const { disconnect } = await import('../../database/postgres');
    const { followed } = this;
    this.followed = null;
    if (followed !== null) await disconnect(followed.client);
  }

  private async connected(): Promise<Followed> {
    if (this.followed !== null) return this.followed;
    this.followed = await servicesOn(await this.options.connect(), this.options.settings);
    this.server = await this.followed.tail.serverStarted();
    if (this.place !== null && this.place.server !== this.server) {
      if (this.place.cursor.target !== null)
        this.options.say('the server was restarted in the middle of many lines: some of them may come twice');
      this.place = placeAt(this.place, this.server);
    }
    return this.followed;
  }
}

async function servicesOn(client: Client, settings: Settings): Promise<Followed> {
  const { openContext } = await import('../context');
  const { StatusModule } = await import('../../status/status.module');
  const { Status } = await import('../../status/status.service');
  const { Tail } = await import('../../status/tail.service');
  const get = await openContext(client, settings, [StatusModule]);
  return { client, tail: get(Tail), status: get(Status) };
}
