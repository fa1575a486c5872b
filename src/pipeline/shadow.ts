import type { ActionRunner } from '../actions/action-runner';
import { digestOf, targetOf } from '../actions/rendering';
import type { Ledger } from '../delivery/ledger';
import type { Delivery } from '../event/delivery';
import { messageOf } from '../event/errors';
import { failed, type ErrorKind, type Outcome } from '../event/outcome';
import type { TermContext } from '../event/term-context';
import { within } from '../event/timing';
import { TemplateRenderError } from '../matching/template/template';
import type { Disposition } from '../resilience/disposition';
import type { Enrichment, Prepared } from '../lookups/enrichment';
import type { EventRun } from './event-run';
import type { Runs } from './runs';

export interface ShadowOptions {
  readonly runner: Pick<ActionRunner, 'render'>;
  readonly enrichment: Enrichment;
  readonly ledger: Pick<Ledger, 'attempt'>;
  readonly runs: Runs;
  /** Milliseconds for which its look-ups may hold the stream. */
  readonly inlineBudget: number;
}

/**
 * Deliveries of observers with `mode: shadow`: look-ups → rendering → record. Nothing is sent, and nothing waits: they have no lane, no
 * place at an endpoint, no dedup key and no second try, so that no live delivery is another one for them.
 */
export class Shadow {
  constructor(
    private readonly term: TermContext,
    private readonly options: ShadowOptions,
  ) {}

  /** @param run the event whose end waits for it; null for one that is not read from the stream */
  begin(delivery: Delivery, run: EventRun | null): void {
    const { enrichment, runs, inlineBudget } = this.options;
    const startedAt = this.term.clock.monotonic();
    if (run !== null) runs.enter(run);
    const prepared = enrichment.prepare(delivery);
    if (!(prepared instanceof Promise)) return this.prepared(delivery, prepared, startedAt, run);
    void within(prepared, inlineBudget, () => late(inlineBudget)).then((result) => this.prepared(delivery, result, startedAt, run));
  }

  /** What would have been a dead letter untried. */
  recordUntried(delivery: Delivery, error: 'condition' | 'loop' | 'template', message: string, run: EventRun | null): void {
    this.record(delivery, failed(error, message), this.term.clock.monotonic(), run);
  }

  private prepared(delivery: Delivery, result: Prepared, startedAt: number, run: EventRun | null): void {
    this.record(delivery, 'ok' in result ? result : this.rendered(result), startedAt, run);
    if (run !== null) this.options.runs.leave(run);
  }

  private rendered(delivery: Delivery): Outcome {
    try {
      const { content, missing } = this.options.runner.render(delivery);
      const { bytes, sha256 } = digestOf(content);
      const lacking =
        missing.length === 0 ? '' : `; ${missing.length} of its template values ${missing.length === 1 ? 'is' : 'are'} missing`;
      return { ok: true, status: null, skipped: `it would have sent ${targetOf(content)}, ${bytes} bytes, sha256 ${sha256}${lacking}` };
    } catch (error) {
      if (error instanceof TemplateRenderError) return failed('template', error.message);
      const { observer, action, event } = delivery;
      this.term.logger.error({ err: error, observer: observer.name, action: action.name, event: event.id }, 'an action broke in shadow');
      return failed('internal', messageOf(error));
    }
  }

  private record(delivery: Delivery, outcome: Outcome, startedAt: number, run: EventRun | null): void {
    const { ledger, runs } = this.options;
    const { event, observer, action, attempt, configVersion } = delivery;
    const decided = fateOf(outcome);
    const now = this.term.clock.monotonic();
    runs.events.tried({ delivery, outcome, decided, duration: now - startedAt });
    ledger.attempt({
      changeNumber: event.changeNumber,
      observer: observer.name,
      action: action.name,
      attempt,
      outcome: decided.is,
      error: outcome.ok ? null : outcome.error,
      message: `shadow: ${messageFor(outcome, decided)}`,
      status: null,
      response: null,
      durationMs: now - startedAt,
      finishedAt: now,
      configVersion,
    });
    run?.outcomes.push(`${observer.name}/${action.name} shadow ${decided.is}${outcome.ok ? '' : ` ${outcome.error}`}`);
  }
}

/** With these a live delivery would be dead; what may pass is only told, for nobody tries again. */
const FINAL: ReadonlySet<ErrorKind> = new Set(['template', 'condition', 'loop']);

type Fate = Extract<Disposition, { readonly is: 'skipped' | 'dead' }>;

function fateOf(outcome: Outcome): Fate {
  return !outcome.ok && FINAL.has(outcome.error)
    ? { is: 'dead', because: 'it would have been a dead letter', note: null }
    : { is: 'skipped' };
}

function messageFor(outcome: Outcome, decided: Fate): string {
  if (outcome.ok) return outcome.skipped ?? '';
  return `${outcome.message}; ${decided.is === 'dead' ? decided.because : 'what it would have sent is not known'}`;
}

function late(budget: number): Outcome {
  return failed('lookup', `its look-ups took longer than ${budget} ms (OBSERVERS_INLINE_BUDGET)`);
}
