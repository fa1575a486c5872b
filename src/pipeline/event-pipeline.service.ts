import { Injectable } from '@nestjs/common';
import { ActionRunners } from '../actions/actions.module';
import { Checkpoints } from '../checkpoint/checkpoints';
import { Progress } from '../checkpoint/progress';
import type { Settings } from '../config/settings';
import { Deduplications } from '../dedup/deduplication';
import { Ledgers } from '../delivery/ledgers';
import type { TermContext } from '../event/term-context';
import { arrangementOf } from '../jobs/arrangement';
import { JobQueue } from '../jobs/job-queue';
import { Enrichments } from '../lookups/lookups.module';
import { Matcher } from '../matching/matcher';
import { EndpointGates } from '../resilience/endpoint-gates';
import { CurrentConfiguration, type StreamConfiguration } from './configuration';
import { Dispatcher } from './dispatcher';
import { EventPipeline } from './event-pipeline';
import { PipelineEvents } from './pipeline-events';
import { Runs } from './runs';
import { Scheduler } from './scheduler';
import { Shadow } from './shadow';

export type PipelineSettings = Pick<Settings, 'commitWindow' | 'inlineBudget' | 'maxHops' | 'fairness'>;

/**
 * Every feature of the path comes in here, once. Each of them lives with the process and opens something for one term: what may be stale
 * over an epoch is made anew, what may not (dedup keys, cached answers) is shared. Beyond this the path of an event knows no container.
 */
@Injectable()
export class EventPipelineService {
  constructor(
    private readonly checkpoints: Checkpoints,
    private readonly ledgers: Ledgers,
    private readonly jobs: JobQueue,
    private readonly gates: EndpointGates,
    private readonly actions: ActionRunners,
    private readonly deduplications: Deduplications,
    private readonly enrichments: Enrichments,
    private readonly events: PipelineEvents,
  ) {}

  /**
   * Takes up a stream where the last term left it. Nothing runs yet.
   *
   * @throws what the database failed with, when another instance leads by now, and what an action's preparation throws
   */
  async open(term: TermContext, { observers, version }: StreamConfiguration, settings: PipelineSettings): Promise<EventPipeline> {
    const { inlineBudget, maxHops, commitWindow, fairness } = settings;
    const cursor = await this.checkpoints.open(term, version);
    const gone = await this.ledgers.goneEndpoints(term);
    const { backlogged, blocked, pauses } = await this.jobs.takeOver(term, cursor, arrangementOf(observers));
    const events = this.events.open();
    const progress = new Progress();
    const ledger = this.ledgers.open(term, progress, events, commitWindow);
    const runs = new Runs(progress, ledger, events);
    const enrichment = this.enrichments.open(term, events);
    const runner = this.actions.open(term, observers);
    const dedup = this.deduplications.open(events);
    const gates = this.gates.open(term.clock, events);
    const record = { ledger, pauses, gone };
    const dispatcher = new Dispatcher({ term, runner, enrichment, dedup, record, gates, runs, inlineBudget, fairness });
    dispatcher.configure(observers, backlogged);
    dispatcher.strictLanes.inherit(blocked);
    const shadow = new Shadow(term, { runner, enrichment, ledger, runs, inlineBudget });
    const scheduler = new Scheduler(ledger, term.clock, dispatcher.worker, fairness);
    const current = new CurrentConfiguration(new Matcher(observers), version);
    return new EventPipeline(term, { cursor, current, runner, enrichment, runs, record, dispatcher, shadow, scheduler }, maxHops);
  }
}
