import { isRefusal } from '../database/postgres';
import type { Ledger } from '../delivery/ledger';
import type { DeliveryKey } from '../delivery/records';
import type { TermContext } from '../event/term-context';
import type { ClaimedDelivery, FreePlaces, JobQueue } from '../jobs/job-queue';
import type { Dispatcher } from '../pipeline/dispatcher';
import type { EventPipeline } from '../pipeline/event-pipeline';

/** Where deliveries wait whose endpoint is no longer configured; they are judged by the names of their observer and action. */
const ORPHANED = '(no longer configured)';
const ORPHANS = 100;
const SWEEP_EVERY = 5_000;
/** What is in memory keeps its claim; this is for rows that nobody has, whatever the reason. */
const CLAIM_LEASE = 15_000;
/** Strict lanes that are looked at again in one sweep. */
const RECHECKED = 1_000;

/** What one claim has brought. */
export interface Claimed {
  readonly deliveries: readonly ClaimedDelivery[];
  /** The ledger's last committed group when the claim began. */
  readonly committed: number;
  /** Endpoints for which there was nothing more. */
  readonly exhausted: readonly string[];
}
export const NOTHING_CLAIMED: Claimed = { deliveries: [], committed: 0, exhausted: [] };

/** Who has which row of what is due. One claim at a time: the worker's rounds see to that. */
export class Claims {
  private sweptAt = -Infinity;
  private adoptedAt = -Infinity;
  /** What was in memory at a moment, and the ledger's group in which all is that had left it by then. */
  private look: { readonly at: number; readonly held: readonly DeliveryKey[]; readonly group: number } | null = null;

  private readonly dispatcher: Dispatcher;
  private readonly ledger: Ledger;
  private readonly term: TermContext;

  constructor(
    private readonly jobs: JobQueue,
    private readonly pipeline: EventPipeline,
  ) {
    this.dispatcher = pipeline.dispatcher;
    this.ledger = pipeline.ledger;
    this.term = pipeline.term;
  }

  /** As many as there are free places for. */
  async claim(): Promise<Claimed> {
    const { gates, handOvers } = this.dispatcher;
    const places: FreePlaces[] = [{ endpoint: ORPHANED, free: ORPHANS }];
    for (const gate of gates.all.values()) {
      const free = gate.claimable;
      if (free > 0) places.push({ endpoint: gate.name, free, ...(gate.isHalfOpen && { most: free }) });
    }
    const { committed } = this.ledger;
    handOvers.forget(committed);
    try {
      const deliveries = await this.jobs.claim(this.term, places, CLAIM_LEASE);
      return { deliveries, committed, exhausted: exhaustedOf(places, deliveries) };
    } catch (error) {
      // Whether deliveries were claimed is not known: a later one of their lanes could be claimed first.
      if (!isRefusal(error)) this.pipeline.events.broken(error);
      throw error;
    }
  }

  /** Where nothing is queued any more new deliveries need not go behind it. Called when what was claimed is in memory. */
  async reopen(exhausted: readonly string[]): Promise<void> {
    const { all } = this.dispatcher.gates;
    const backlogged = exhausted.filter((endpoint) => all.get(endpoint)?.hasBacklog === true);
    if (backlogged.length === 0) return;
    const { committed } = this.ledger;
    for (const endpoint of await this.jobs.drained(this.term.stream, backlogged)) all.get(endpoint)?.drained(committed);
  }

  /** Now and then: rows that nobody has, lanes that wait for a head, endpoints that are gone. */
  async sweep(): Promise<void> {
    const now = this.term.clock.monotonic();
    if (now - this.adoptedAt >= SWEEP_EVERY) await this.adopt(now);
    if (now - this.sweptAt < SWEEP_EVERY) return;
    const { dispatcher, ledger } = this;
    // What has just ended has its row until that is committed; it is not free.
    if (this.look === null || now - this.look.at > SWEEP_EVERY) this.look = { at: now, held: dispatcher.held, group: ledger.newest };
    if (ledger.committed < this.look.group) return;
    const { held } = this.look;
    this.look = null;
    this.sweptAt = now;
    await this.free(held);
    dispatcher.strictLanes.recheck(RECHECKED);
  }

  private async adopt(now: number): Promise<void> {
    const { gates } = this.dispatcher;
    for (const endpoint of await this.jobs.adopt(this.term.stream, [...gates.all.keys(), ORPHANED], ORPHANED)) gates.queued(endpoint);
    this.adoptedAt = now;
  }

  private async free(held: readonly DeliveryKey[]): Promise<void> {
    const freed = await this.jobs.sweep(this.term.stream, held);
    if (freed === 0) return;
    // Which endpoints they belong to is not worth asking: those that have none are found drained at once.
    const { gates } = this.dispatcher;
    for (const gate of gates.all.values()) gate.queued();
    this.term.logger.warn({ freed }, 'claims ran out; their deliveries are tried again');
  }
}

function exhaustedOf(places: readonly FreePlaces[], deliveries: readonly ClaimedDelivery[]): string[] {
  const queued = new Map<string, number>();
  for (const { endpoint, was } of deliveries) if (was === 'queued') queued.set(endpoint, (queued.get(endpoint) ?? 0) + 1);
  return places.filter(({ endpoint, free }) => (queued.get(endpoint) ?? 0) < free).map(({ endpoint }) => endpoint);
}
