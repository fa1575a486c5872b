import type { ObserverDefinition, Redactor } from '../event/definitions';
import type { Delivery } from '../event/delivery';
import type { EntityEvent } from '../event/entity-event';
import { messageOf } from '../event/errors';
import type { JsonValue } from '../event/json-document';
import { asksCondition, reasonOf } from '../explain/explain';
import type { Lookups } from '../lookups/lookups';
import type { Explanation } from '../matching/condition/condition';
import type { Judgement, Matcher } from '../matching/matcher';
import { firstTry, type Renderer, type ShownDelivery } from './renderer';

/** One look-up of an observer. */
export interface LookupTrial {
  readonly name: string;
  /** `not asked` without --with-lookups. */
  readonly state: 'not asked' | 'nothing to ask' | 'found' | 'nothing found' | 'failed';
  /** The GET; null when there is nothing to ask, or it cannot be rendered. */
  readonly url: string | null;
  readonly found: JsonValue;
  readonly why: string | null;
}

/** What one observer makes of an event. */
export interface ObserverTrial {
  readonly name: string;
  readonly mode: ObserverDefinition['mode'];
  /** `lookup failed`: it would be tried again. */
  readonly verdict: Judgement['verdict'] | 'lookup failed';
  readonly why: string;
  readonly condition: Explanation | null;
  readonly lookups: readonly LookupTrial[];
  /** What would be sent; empty when nothing would be. */
  readonly deliveries: readonly ShownDelivery[];
}

/** An observer's trial, and what it is made of: for sending it really. */
export interface Trial {
  readonly shown: ObserverTrial;
  readonly deliveries: readonly Delivery[];
}

export interface TrialOptions {
  readonly matcher: Matcher;
  readonly renderer: Renderer;
  readonly redaction: Redactor;
  readonly lookups: Lookups;
  /** Whether look-ups are really asked. */
  readonly ask: boolean;
  /** Milliseconds since 1970: what NOW() is. */
  readonly now: number;
  /** Names; null: all. */
  readonly observers: readonly string[] | null;
  /** The own id of a test's delivery; undefined where it is rendered as the real one. */
  readonly testId: () => string | undefined;
}

/** What every observer makes of an event, without sending anything. */
export async function tryEvent(event: EntityEvent, options: TrialOptions): Promise<Trial[]> {
  const judgements = options.matcher.judgeAll(event, options.now);
  const chosen = judgements.filter(({ observer }) => options.observers?.includes(observer.name) ?? true);
  return Promise.all(chosen.map((judgement) => trialOf(judgement, event, options)));
}

async function trialOf(judgement: Judgement, event: EntityEvent, options: TrialOptions): Promise<Trial> {
  const { observer } = judgement;
  const reached = judgement.verdict === 'matched' || judgement.verdict === 'undecided';
  const { lookups, enriched, failure } = reached ? await lookUp(event, observer, options) : { lookups: [], enriched: event, failure: null };
  const decided = failure === null ? decide(judgement, enriched, options) : { verdict: 'lookup failed' as const, why: failure };
  const condition = asksCondition(judgement, event) ? options.matcher.explain(observer.name, enriched, options.now) : null;
  const sends = decided.verdict === 'matched' || decided.verdict === 'undecided';
  const deliveries = sends ? observer.actions.map((action) => firstTry({ event: enriched, observer, action }, options.testId())) : [];
  const sources = [...(observer.when === null ? [] : [observer.when]), ...(observer.columns ?? [])];
  const hidden = options.redaction.all({ ...decided, condition }, sources);
  const shown = deliveries.map((delivery) => options.renderer.render(delivery));
  return { shown: { name: observer.name, mode: observer.mode, ...hidden, lookups, deliveries: shown }, deliveries };
}

/** With what was looked up, a condition that takes it is decided as a delivery decides it. */
function decide(judgement: Judgement, event: EntityEvent, { matcher, now }: TrialOptions): Pick<ObserverTrial, 'verdict' | 'why'> {
  const { verdict } = judgement;
  if (verdict !== 'undecided') return { verdict, why: reasonOf(judgement, event) };
  if (event.lookups === null)
    return { verdict, why: 'the condition takes what is looked up, and nothing was asked (--with-lookups asks): it may or may not match' };
  const [error, met] = matcher.decideWith(judgement.observer.name, event, now);
  const result: Judgement = { ...judgement, error, verdict: met === null ? 'no answer' : met ? 'matched' : 'condition not met' };
  return { verdict: result.verdict, why: reasonOf(result, event) };
}

interface LookedUp {
  readonly lookups: readonly LookupTrial[];
  readonly enriched: EntityEvent;
  readonly failure: string | null;
}

async function lookUp(event: EntityEvent, observer: ObserverDefinition, options: TrialOptions): Promise<LookedUp> {
  if (observer.lookups.length === 0) return { lookups: [], enriched: event, failure: null };
  const found = options.ask ? await options.lookups.enrich(event, observer.lookups) : null;
  const failure = found !== null && 'error' in found ? found.message : null;
  const enriched = found !== null && 'event' in found ? found.event : event;
  const lookups = observer.lookups.map((definition): LookupTrial => {
    const { name, endpoint } = definition;
    const base = { name, url: null, found: null, why: null };
    try {
      const asked = options.lookups.asks(event, definition);
      if (asked === null) return { ...base, state: 'nothing to ask', why: 'a value that it is made of is null or missing' };
      const url = options.redaction.text(asked.url, [endpoint.url]);
      if (found === null) return { ...base, url, state: 'not asked' };
      if (failure !== null) return { ...base, url, state: 'failed', why: failure };
      const value = enriched.lookups?.[name];
      return {
        ...base,
        url,
        state: value === undefined ? 'nothing found' : 'found',
        found: options.redaction.all(value ?? null, [endpoint.url, ...Object.values(endpoint.headers)]),
      };
    } catch (error) {
      return { ...base, state: 'failed', why: options.redaction.text(messageOf(error), [endpoint.url]) };
    }
  });
  return { lookups, enriched, failure };
}
