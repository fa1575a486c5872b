import { Injectable } from '@nestjs/common';
import type { Tier } from '../cache/lookup-cache';
import type { DeadLetterRecord } from '../delivery/records';
import type { Delivery } from '../event/delivery';
import type { Outcome } from '../event/outcome';
import type { Disposition } from '../resilience/disposition';
import type { EndpointGate } from '../resilience/endpoint-gate';
import type { EventRun } from './event-run';

/** One try, as it ended. */
export interface Try {
  readonly delivery: Delivery;
  readonly outcome: Outcome;
  readonly decided: Disposition;
  /** Milliseconds. */
  readonly duration: number;
}

/** Told of what happens on the path of events: for the log, metrics and alerts. On the hot path: nothing here may wait or throw. */
export interface PipelineSubscriber {
  /** A page of the change log was read; it may have been empty. */
  read?(): void;
  /** Something that waited for its time is due: the reader is to look whether a change cancels it. */
  due?(): void;
  /** An event has run its course. */
  event?(run: EventRun): void;
  /** Called once for every try on record. */
  tried?(what: Try): void;
  /** A delivery that was tried has failed for good, whatever becomes of it by its observer's `on_failure` and order. */
  buried?(letter: DeadLetterRecord, delivery: Delivery): void;
  /** A delivery has become a dead letter. @param error one word */
  died?(observer: string, error: string): void;
  quarantined?(reason: string): void;
  /** What had gathered of outcomes is on record. */
  written?(): void;
  /** A delivery was not made, for another with its key was. */
  duplicate?(observer: string): void;
  /** A delivery is made without its dedup key: the keys cannot be asked for. */
  dedupUnavailable?(observer: string): void;
  /** A look-up was answered by a tier of the cache, or (null) had to be asked for. */
  lookedUp?(lookup: string, from: Tier | null): void;
  /** The circuit breaker of an endpoint has another state, or other rules. */
  breaker?(gate: EndpointGate): void;
  /** A newer leader has taken over. Called once. */
  deposed?(): void;
  /** The term cannot go on. */
  broken?(error: unknown): void;
}

/** A plain list. Who subscribes to the service's is told of every term that begins later; who subscribes to a term's, of that. */
@Injectable()
export class PipelineEvents implements Required<PipelineSubscriber> {
  private readonly subscribers: PipelineSubscriber[] = [];

  subscribe(...subscribers: readonly PipelineSubscriber[]): void {
    this.subscribers.push(...subscribers);
  }

  /** Those of one term. */
  open(): PipelineEvents {
    const events = new PipelineEvents();
    events.subscribe(...this.subscribers);
    return events;
  }

  read(): void {
    for (const one of this.subscribers) one.read?.();
  }

  due(): void {
    for (const one of this.subscribers) one.due?.();
  }

  event(run: EventRun): void {
    for (const one of this.subscribers) one.event?.(run);
  }

  tried(what: Try): void {
    for (const one of this.subscribers) one.tried?.(what);
  }

  buried(letter: DeadLetterRecord, delivery: Delivery): void {
    for (const one of this.subscribers) one.buried?.(letter, delivery);
  }

  died(observer: string, error: string): void {
    for (const one of this.subscribers) one.died?.(observer, error);
  }

  quarantined(reason: string): void {
    for (const one of this.subscribers) one.quarantined?.(reason);
  }

  written(): void {
    for (const one of this.subscribers) one.written?.();
  }

  duplicate(observer: string): void {
    for (const one of this.subscribers) one.duplicate?.(observer);
  }

  dedupUnavailable(observer: string): void {
    for (const one of this.subscribers) one.dedupUnavailable?.(observer);
  }

  lookedUp(lookup: string, from: Tier | null): void {
    for (const one of this.subscribers) one.lookedUp?.(lookup, from);
  }

  breaker(gate: EndpointGate): void {
    for (const one of this.subscribers) one.breaker?.(gate);
  }

  deposed(): void {
    for (const one of this.subscribers) one.deposed?.();
  }

  broken(error: unknown): void {
    for (const one of this.subscribers) one.broken?.(error);
  }
}
