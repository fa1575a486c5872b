import { Injectable } from '@nestjs/common';
import type { Response } from 'express';
import { messageOf } from '../event/errors';
import { ServiceLogger } from '../event/service-logger';
import { Pause, within } from '../event/timing';
import { laterOf, placeAt, type TailPlace } from '../status/tail-place';
import { Tail, type TailBeginning, type TailFilter, type TailPage } from '../status/tail.service';
import { EventStream, eventText, placeText } from './http/event-stream';
import { ApiProblem } from './http/problem';
import { placeId } from './tail-id';

/** Streams that are open at once, of all and of one token: each asks the database twice a second. */
export const MOST_STREAMS = 16;
export const MOST_OF_ONE = 8;
/** Entries that are read, and held for a slow reader, at once. */
const PAGE = 200;
const LOOK_EVERY = 500;
/** Milliseconds between two signs of life. */
const HEARTBEAT = 15_000;
/** For which a reader may take nothing. */
const PATIENCE = 30_000;
/** For which a stop waits for readers to take their last entries. */
const GRACE = 2_000;
const FIRST_RETRY = 500;
const LONGEST_RETRY = 5_000;

export interface FollowRequest {
  readonly who: string;
  readonly filter: TailFilter;
  readonly from: TailPlace | TailBeginning;
  /** Whether whoever asked may still see it. */
  readonly allowed: () => boolean;
}

/** Followers of what happens, over HTTP. Each reads the database by itself, and only when its reader has taken what was there. */
@Injectable()
export class TailStreams {
  private readonly open = new Map<EventStream, { readonly who: string; readonly pause: Pause }>();
  private stopping = false;

  constructor(
    private readonly tail: Tail,
    private readonly logger: ServiceLogger,
  ) {}

  /** Resolves when nobody reads any more, or the service stops. @throws ApiProblem, or what the database failed with, before anything is answered */
  async follow(response: Response, { who, filter, from, allowed }: FollowRequest): Promise<void> {
    const stream = new EventStream(response, PATIENCE);
    const pause = this.admit(stream, who);
    void stream.closed.then(() => pause.wake());
    try {
      const first = await this.begin(from, filter);
      stream.begin();
      await stream.write(`retry: 1000\n\n${first.text === '' ? placeText(placeId(first.place)) : first.text}`);
      const end = await this.goOn(stream, { pause, place: first.place, filter, allowed });
      await stream.end(eventText({ event: 'end', data: { why: end } }));
    } finally {
      this.open.delete(stream);
    }
  }

  /** All end, with a last word. */
  async end(): Promise<void> {
    this.stopping = true;
    const streams = [...this.open];
    for (const [, { pause }] of streams) pause.wake();
    const all = Promise.all(streams.map(([stream]) => stream.closed));
    await within(all, GRACE, () => streams.forEach(([stream]) => stream.cut()));
  }

  private admit(stream: EventStream, who: string): Pause {
    if (this.stopping) throw new ApiProblem('stopping', 'the service stops', { headers: { 'retry-after': '5' } });
    const own = [...this.open.values()].filter((one) => one.who === who).length;
    if (own >= MOST_OF_ONE || this.open.size >= MOST_STREAMS)
      throw new ApiProblem(
        'too-many-requests',
        `${own >= MOST_OF_ONE ? `${own} streams of this token` : `${this.open.size} streams`} are open`,
        {
          remedy: 'Close one that is not needed.',
          headers: { 'retry-after': '30' },
        },
      );
    const pause = new Pause();
    this.open.set(stream, { who, pause });
    return pause;
  }

  private async begin(from: TailPlace | TailBeginning, filter: TailFilter): Promise<Told> {
    const server = await this.tail.serverStarted();
    if ('cursor' in from) return this.next(placeAt(from, server), filter);
    const page = await this.tail.recent(from, filter);
    return told(page, { cursor: page.cursor, seen: null, server });
  }

  private async next(place: TailPlace, filter: TailFilter): Promise<Told> {
    const page = await this.tail.since(place.cursor, filter, PAGE);
    return told(page, place);
  }

  /** @returns why it ends */
  private async goOn(
    stream: EventStream,
    {
      pause,
      place: from,
      filter,
      allowed,
    }: { readonly pause: Pause; readonly place: TailPlace; readonly filter: TailFilter; readonly allowed: () => boolean },
  ): Promise<string> {
    let place = from;
    let [spokeAt, wait] = [performance.now(), 0];
    while (stream.isOpen) {
      // Of a page that was full the next one is there already.
      if ((wait > 0 || place.cursor.target === null) && !this.stopping) await pause.for(wait === 0 ? LOOK_EVERY : wait);
      if (!stream.isOpen) break;
      if (!allowed()) return 'the token is not known any more';
      if (this.stopping) return 'the service stops';
      try {
        if (wait > 0) place = placeAt(place, await this.tail.serverStarted());
        const more = await this.next(place, filter);
        place = more.place;
        wait = 0;
        const text = more.text === '' && performance.now() - spokeAt > HEARTBEAT ? placeText(placeId(place)) : more.text;
        if (text === '') continue;
        await stream.write(text);
        spokeAt = performance.now();
      } catch (error) {
        if (wait === 0) this.logger.warn({ err: messageOf(error) }, 'what happens cannot be followed for somebody; trying again');
        await stream.write(': the database does not answer; trying again\n\n');
        wait = Math.min(LONGEST_RETRY, wait === 0 ? FIRST_RETRY : wait * 2);
      }
    }
    return '';
  }
}

interface Told {
  readonly text: string;
  /** Behind the last entry. */
  readonly place: TailPlace;
}

/** Each entry with the place behind it: whoever loses the connection goes on from what it has taken. */
function told({ entries, keys, window, xid, cursor }: TailPage, { cursor: { previous }, seen, server }: TailPlace): Told {
  const place = { cursor, seen: laterOf(seen, xid), server };
  const texts = entries.map((data, i) => {
    const key = keys[i];
    const last = i === entries.length - 1;
    const behind = last ? place : key === undefined ? null : { cursor: { previous, target: window, after: key }, seen: laterOf(seen, key.xid), server }; // prettier-ignore
    return eventText({ ...(behind === null ? {} : { id: placeId(behind) }), data });
  });
  return { text: texts.join(''), place };
}
