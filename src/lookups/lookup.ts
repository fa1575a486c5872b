import type { Logger } from 'pino';
import { splitUrl, type HttpSender } from '../connections/http/http-sender';
import type { Clock } from '../event/clock';
import type { LookupDefinition } from '../event/definitions';
import { shownAuth } from '../event/endpoint-auth';
import type { EntityEvent } from '../event/entity-event';
import { parseSpelledJson, type JsonValue } from '../event/json-document';
import { failed, type Failed, type Outcome } from '../event/outcome';
import { compileTemplate, EmptyValueError, TemplateRenderError, type Template } from '../matching/template/template';
import type { Asked, Found, LookupCache, Question, Tier } from '../cache/lookup-cache';

/** A refresh that fails is told no more often than this, in milliseconds. */
const TELL_EVERY = 60_000;

/** Undefined: there is nothing to be found. */
export type LookedUp = { readonly value: JsonValue | undefined } | Failed;

const NOTHING: LookedUp = { value: undefined };
const ASKED_IN_VAIN: Asked = { value: undefined, text: '' };

/** A GET that a look-up would make. */
export interface AskedLookup {
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

interface Request extends Question {
  readonly path: string;
  readonly headers: readonly string[];
}

export interface LookupEvents {
  /** A look-up was answered by a tier of the cache, or (null) had to be asked for. */
  lookedUp(lookup: string, from: Tier | null): void;
}

/** One look-up: the same question is asked once at a time, and again when its answer has grown old. */
export class Lookup {
  private readonly origin: string;
  private readonly path: Template;
  private readonly headers: readonly (readonly [string, Template])[];
  private readonly asked = new Map<string, Promise<Found>>();
  private toldAt = -TELL_EVERY;

  constructor(
    private readonly definition: LookupDefinition,
    private readonly sender: HttpSender,
    private readonly cache: LookupCache,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly events: LookupEvents,
  ) {
    const { url, headers } = definition.endpoint;
    const [origin, path] = splitUrl(url);
    this.origin = origin;
    this.path = compileTemplate(path, 'url');
    this.headers = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), compileTemplate(value, 'header')] as const);
  }

  /** At once when the cache has it. Never throws or rejects. */
  find(event: EntityEvent): LookedUp | Promise<LookedUp> {
    const { name, ttl, staleFor } = this.definition;
    let request: Request | null;
    try {
      request = this.requestFor(event);
    } catch (error) {
      if (error instanceof TemplateRenderError) return this.failure(error.message);
      throw error;
    }
    const answer = request === null ? undefined : this.cache.get(request);
    const age = answer === undefined ? Infinity : this.clock.monotonic() - answer.at;
    if (request !== null && age >= ttl) {
      const next = this.ask(request);
      if (answer === undefined || age >= ttl + staleFor) return this.counted(next);
      void this.refreshed(next);
    }
    this.events.lookedUp(name, 'memory');
    return answer ?? NOTHING;
  }

  /** What would be asked for, and nothing is asked; null when there is nothing to ask for. @throws TemplateRenderError */
  asks(event: EntityEvent): AskedLookup | null {
    const request = this.requestFor(event);
    if (request === null) return null;
    const { url, headers } = request;
    const pairs = headers.flatMap((name, i) => (i % 2 === 0 ? [[name, headers[i + 1] ?? ''] as const] : []));
    return { url, headers: [...pairs, ...shownAuth(this.definition.endpoint.auth)] };
  }

  /** Null: a value that it is made of is null or missing, or in the path empty, so there is nothing to ask for. */
  private requestFor(event: EntityEvent): Request | null {
    const path = this.pathOf(event);
    if (path === null) return null;
    const values = this.headers.map(([name, value]) => [name, value.render(event)] as const);
    if (values.some(([, { missing }]) => missing.length > 0)) return null;
    const accept = values.some(([name]) => name === 'accept') ? [] : ['accept', 'application/json'];
    const headers = [...accept, ...values.flatMap(([name, { text }]) => [name, text])];
    const { name, endpoint } = this.definition;
    const url = `${this.origin}${path}`;
    return { lookup: name, url, path, headers, text: [name, endpoint.url, path, ...headers].join('\n') };
  }

  /** Null: of a value that is empty, null or missing. `/customers/` would be another question. @throws TemplateRenderError */
  private pathOf(event: EntityEvent): string | null {
    try {
      const { text, missing } = this.path.render(event);
      return missing.length > 0 ? null : text;
    } catch (error) {
      if (error instanceof EmptyValueError) return null;
      throw error;
    }
  }

  private async counted(next: Promise<Found>): Promise<LookedUp> {
    const found = await next;
    this.events.lookedUp(this.definition.name, 'error' in found ? null : found.tier);
    return found;
  }

  private ask(request: Request): Promise<Found> {
    const asked = this.asked.get(request.text);
    if (asked !== undefined) return asked;
    const { ttl, staleFor, endpoint } = this.definition;
    const found = this.cache.find(request, { ttl, staleFor, timeout: endpoint.timeout }, () => this.answer(request));
    this.asked.set(request.text, found);
    void this.through(request, found);
    return found;
  }

  /** Until a newer answer that is being asked for is there: nobody asks for it beside that. */
  private async through({ text }: Request, next: Promise<Found>): Promise<void> {
    const found = await next;
    if (!('error' in found) && found.refresh !== null) await this.refreshed(found.refresh);
    this.asked.delete(text);
  }

  private async answer({ path, headers }: Request): Promise<Asked> {
    await this.place();
    try {
      const [outcome, body] = await this.sender.fetch({ path, method: 'GET', headers, body: null });
      return this.foundIn(outcome, body);
    } finally {
      this.sender.places.leave();
    }
  }

  private place(): Promise<void> {
    return new Promise((resolve) => {
      const take = (): void => (this.sender.places.take() ? resolve() : this.sender.places.whenFree(take));
      take();
    });
  }

  private foundIn(outcome: Outcome, body: Buffer): Asked {
    if (!outcome.ok && (outcome.status === 404 || outcome.status === 410)) return ASKED_IN_VAIN;
    if (!outcome.ok) return this.failure(outcome.message, outcome);
    if (outcome.status === 204) return ASKED_IN_VAIN;
    try {
      const text = UTF8.decode(body);
      return { value: parseSpelledJson(text), text };
    } catch {
      // Without the parser's own words: they quote the answer.
      return this.failure('the answer is not JSON');
    }
  }

  private failure(message: string, { status, retryAfter, excerpt }: Partial<Failed> = {}): Failed {
    const more = { status: status ?? null, retryAfter: retryAfter ?? null, excerpt: excerpt ?? null };
    return failed('lookup', `lookup ${this.definition.name}: ${message}`, more);
  }

  /** The old answer goes on for as long as it may. */
  private async refreshed(next: Promise<Found | Asked>): Promise<void> {
    const found = await next;
    const now = this.clock.monotonic();
    if (!('error' in found) || now - this.toldAt < TELL_EVERY) return;
    this.toldAt = now;
    this.logger.warn({ lookup: this.definition.name }, `the old answer is used for now: ${found.message}`);
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });
