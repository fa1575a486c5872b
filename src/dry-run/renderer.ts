import type { Logger } from 'pino';
import { ActionRunner } from '../actions/action-runner';
import type { ActionParts } from '../actions/action-types';
import { digestOf, type Content, type Digest, type Header } from '../actions/rendering';
import { textsIn } from '../config/redaction';
import type { ActionDefinition, ObserverDefinition, Redactor } from '../event/definitions';
import type { Delivery, PlannedDelivery } from '../event/delivery';
import { endpointNameOf } from '../event/endpoint-name';
import { messageOf } from '../event/errors';
import type { Outcome } from '../event/outcome';
import { TemplateRenderError } from '../matching/template/template';
import { TermConnections, type ConnectionSettings } from '../connections/term-connections';
import { webhookHeaders } from '../event/webhook-headers';
import { UNTRACED } from '../tracing/tracing';

/** What deliveries of a dry run work with. */
export interface DryParts extends Pick<ActionParts, 'custom' | 'once'> {
  readonly settings: ConnectionSettings;
}

/** What one delivery would send, as it may be shown. */
export interface ShownDelivery {
  readonly action: string;
  readonly type: ActionDefinition['type'];
  readonly endpoint: string;
  /** Null when nothing would be sent; then `problem` says why. */
  readonly content: Content | null;
  /** Of the payload as it would be sent, secrets included: that of a shadow observer's attempt is the same for the same payload. */
  readonly payload: Digest | null;
  /** Values that the templates use and the event has not. */
  readonly missing: readonly string[];
  /** Values that the templates use and a look-up would give. */
  readonly fromLookups: readonly string[];
  readonly notes: readonly string[];
  readonly problem: string | null;
}

/** Dry runs record nothing, so their deliveries carry a version number that does not exist. */
const NO_VERSION = 0;

/** @param test the own id of a test that is really sent */
export function firstTry({ event, observer, action }: PlannedDelivery, test?: string): Delivery {
  return { event, observer, action, attempt: 1, configVersion: NO_VERSION, ...(test === undefined ? {} : { test }) };
}

/** What a delivery lacks, or why there is none. */
export interface Lack {
  readonly missing: readonly string[];
  readonly fromLookups: readonly string[];
  readonly problem: string | null;
}

/** Renders deliveries, and runs them where a person asks for it. One for each configuration. */
export class Renderer {
  private readonly runner: ActionRunner;
  /** Actions that cannot be made here: a URL that is only known to the service, say. */
  private readonly unprepared = new Map<ActionDefinition, string>();

  constructor(
    observers: readonly ObserverDefinition[],
    private readonly redaction: Redactor,
    logger: Logger,
    { settings, custom, once }: DryParts,
  ) {
    this.runner = new ActionRunner([], logger, { connections: new TermConnections(settings), custom, once, tracing: UNTRACED });
    for (const observer of observers) for (const action of observer.actions) this.prepare(observer, action);
  }

  render(delivery: Delivery): ShownDelivery {
    const { action } = delivery;
    const about = { action: action.name, type: action.type, endpoint: endpointNameOf(action) };
    try {
      const { content, missing, notes } = this.rendered(delivery);
      const shown = redacted(content, action, this.redaction);
      return { ...about, content: shown, payload: digestOf(content), ...split(missing, delivery), notes, problem: null };
    } catch (error) {
      return { ...about, content: null, payload: null, ...split([], delivery), notes: [], problem: this.problemOf(error, delivery) };
    }
  }

  /** The same, for many: only what is wrong. */
  lackOf(delivery: Delivery): Lack {
    try {
      return { ...split(this.rendered(delivery).missing, delivery), problem: null };
    } catch (error) {
      return { missing: [], fromLookups: [], problem: this.problemOf(error, delivery) };
    }
  }

  /** Really sends it. */
  run(delivery: Delivery): Promise<Outcome> {
    return this.runner.run(delivery);
  }

  close(): Promise<void> {
    return this.runner.close();
  }

  private prepare(observer: ObserverDefinition, action: ActionDefinition): void {
    try {
      this.runner.prepareAll([{ ...observer, actions: [action] }]);
    } catch (error) {
      const url = 'endpoint' in action && typeof action.endpoint === 'object' ? action.endpoint.url : '';
      // Half of one, where a reference in it is not set here.
      const why = url.includes('${') ? `its url is not known, ${url}` : messageOf(error);
      this.unprepared.set(action, why);
    }
  }

  private rendered(delivery: Delivery): ReturnType<ActionRunner['render']> {
    const problem = this.unprepared.get(delivery.action);
    if (problem !== undefined) throw new TemplateRenderError(`it cannot be rendered here: ${problem}`);
    return this.runner.render(delivery);
  }

  private problemOf(error: unknown, { action }: Delivery): string {
    const what = error instanceof TemplateRenderError ? error.message : `it breaks: ${messageOf(error)}`;
    return this.redaction.all(what, textsOf(action));
  }
}

function textsOf(action: ActionDefinition): string[] {
  return 'endpoint' in action && typeof action.endpoint === 'object' ? [action.endpoint.url] : [];
}

/** Without look-ups what they would give is not missing, but not known. */
function split(missing: readonly string[], { event }: Delivery): Pick<Lack, 'missing' | 'fromLookups'> {
  if (event.lookups !== null || missing.length === 0) return { missing, fromLookups: [] };
  const looked = (name: string): boolean => /^lookups\b/.test(name);
  return { missing: missing.filter((name) => !looked(name)), fromLookups: missing.filter(looked) };
}

/** What a try would send, as it may be shown: what came out of `${…}` is the reference again. */
function redacted(content: Content, action: ActionDefinition, redaction: Redactor): Content {
  if (action.type !== 'webhook' && action.type !== 'slack') return withoutPart(redaction.all(content, textsIn(action)), content);
  if (content.type !== 'http') return content;
  const { endpoint } = action;
  const headers = action.type === 'webhook' ? webhookHeaders(action) : webhookHeaders({ endpoint, headers: {} });
  const shown = ([name, value]: Header): Header => [name, redaction.text(value, [headers.get(name) ?? ''])];
  const body = action.type === 'webhook' ? textsIn(action.body) : [action.text, ...textsIn(action.blocks)];
  return {
    ...content,
    url: redaction.text(content.url, [endpoint.url]),
    headers: content.headers.map(shown),
    body: content.body === null ? null : redaction.text(content.body, body),
  };
}

/** The id of a mail ends with a part of its sender's address, which alone is no longer what came out of the reference. */
function withoutPart(shown: Content, { ...content }: Content): Content {
  if (shown.type !== 'email' || content.type !== 'email' || shown.from === content.from) return shown;
  return { ...shown, messageId: shown.messageId.replace(/@.*/, '@…>') };
}
