import type { ObserverDefinition, Timing } from '../event/definitions';
import type { EntityEvent } from '../event/entity-event';
import { compileTemplate, TemplateRenderError, type Template } from './template/template';
import { Instant, readInstant } from './time';

/** A delivery may not lie further ahead, in years: 9999-12-31 is a date that means "never". */
const FURTHEST_YEARS = 10;
const FURTHEST = FURTHEST_YEARS * 366 * 86_400_000;

/** When a delivery goes. Times are milliseconds since 1970. */
export interface Due {
  readonly at: number;
  /** Null where the observer does not debounce. */
  readonly debounce: { readonly key: string; readonly since: number; readonly maxWait: number } | null;
}

/** Templates of observers' timings, each compiled when it is first needed: once per configuration version. */
const TEMPLATES = new WeakMap<Timing, Template>();

/**
 * When a delivery of this event goes. It is counted from the event's own time, so that it is the same after a restart.
 *
 * @throws TemplateRenderError when the event does not say
 */
export function dueOf(event: EntityEvent, timing: Timing, { strictTemplates }: Pick<ObserverDefinition, 'strictTemplates'>): Due {
  const since = readInstant(event.timestamp) ?? Instant.at(0);
  if (timing.is === 'delay') return { at: millisecondsOf(since.plus(timing.wait)), debounce: null };
  const text = rendered(event, timing, strictTemplates);
  if (timing.is === 'deliver_at') return { at: timeIn(text, since), debounce: null };
  if (text.trim() === '')
    throw new TemplateRenderError('the debounce key is empty once it is rendered; all events without one would be collapsed into one');
  const at = millisecondsOf(since.plus(timing.wait));
  return { at, debounce: { key: text, since: millisecondsOf(since), maxWait: timing.maxWait } };
}

function rendered(event: EntityEvent, timing: Exclude<Timing, { is: 'delay' }>, strict: boolean): string {
  let template = TEMPLATES.get(timing);
  if (template === undefined) {
    template = compileTemplate(timing.is === 'deliver_at' ? timing.template : timing.key, 'text');
    TEMPLATES.set(timing, template);
  }
  const { text, missing } = template.render(event, strict);
  if (missing.length > 0) throw new TemplateRenderError(`${timing.is === 'deliver_at' ? 'deliver_at' : 'the debounce key'} has a value that the event has not`); // prettier-ignore
  return text;
}

function timeIn(text: string, since: Instant): number {
  const at = readInstant(text.trim());
  if (at === null || !Number.isFinite(at.seconds))
    throw new TemplateRenderError('deliver_at is no point in time; give one such as 2026-02-17T09:00:00Z');
  if (at.since(since) > FURTHEST) throw new TemplateRenderError(`deliver_at lies more than ${FURTHEST_YEARS} years ahead`);
  return millisecondsOf(at);
}

/** Never before the time itself. */
function millisecondsOf({ seconds, nanoseconds }: Instant): number {
  return seconds * 1_000 + Math.ceil(nanoseconds / 1e6);
}
