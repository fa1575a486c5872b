import type { Client } from 'pg';
import type { Snapshot } from '../../checkpoint/cursor';
import type { Status } from '../../status/status.service';
import type { Tail, TailBeginning, TailCursor, TailEntry, TailFilter } from '../../status/tail.service';
import { OperatorError } from '../../event/errors';

/** Entries that come at once; a terminal that was stopped for an hour gets the rest page by page. */
const PAGE = 1_000;
const PREPARED = 'select pg_postmaster_start_time()::text as started';

export interface FollowerOptions {
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
  private cursor: TailCursor | null = null;
  /** The greatest transaction that was shown. */
  private seen: bigint | null = null;
  /** When the server was started: after a crash transactions' numbers may be given out again. */
  private server: string | null = null;

  constructor(private readonly options: FollowerOptions) {}

  /** One look. @returns whether there is more to be had at once. @throws what the database failed with; the next call connects again */
  async look(): Promise<boolean> {
    const { filter, beginning, show } = this.options;
    const { tail } = await this.connected();
    const page = this.cursor === null ? await tail.recent(beginning, filter) : await tail.since(this.cursor, filter, PAGE);
    // Before it is shown: a failure to write ends the command, and a failure to read has shown nothing.
    this.cursor = page.cursor;
    if (page.xid !== null && (this.seen === null || BigInt(page.xid) > this.seen)) this.seen = BigInt(page.xid);
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
    const client = await this.options.connect();
    this.followed = await servicesOn(client);
    const { rows } = await client.query<{ started: string }>(PREPARED);
    const started = rows[0]?.started ?? '';
    if (this.cursor !== null && started !== this.server) this.cursor = this.afterRestart(this.cursor);
    this.server = started;
    return this.followed;
  }

  private afterRestart({ previous, target }: TailCursor): TailCursor {
    if (target !== null) this.options.say('the server was restarted in the middle of many lines: some of them may come twice');
    return { previous: this.seen === null ? previous : seenUpTo(previous, this.seen), target: null, after: null };
  }
}

async function servicesOn(client: Client): Promise<Followed> {
  const { openContext } = await import('../context');
  const { StatusModule } = await import('../../status/status.module');
  const { Status } = await import('../../status/status.service');
  const { Tail } = await import('../../status/tail.service');
  const get = await openContext(client, [StatusModule]);
  return { client, tail: get(Tail), status: get(Status) };
}

/**
 * After a crash PostgreSQL gives out again the numbers of transactions whose records were not flushed, and a snapshot in memory would call
 * these seen. What was shown had been committed, so that none above the greatest of it was seen.
 */
export function seenUpTo(snapshot: Snapshot, seen: bigint): Snapshot {
  const [, xmax, xip] = snapshot.split(':');
  if (xmax === undefined || xip === undefined) throw new OperatorError(`"${snapshot}" is no snapshot`, '');
  const end = BigInt(xmax) > seen + 1n ? seen + 1n : BigInt(xmax);
  const open = xip.split(',').filter((xid) => xid !== '' && BigInt(xid) < end);
  return `${open[0] ?? end}:${end}:${open.join(',')}`;
}
