import type { Logger } from 'pino';
import { splitUrl, type HttpSender } from '../connections/http/http-sender';
import type { Clock } from '../event/clock';
import type { LookupDefinition } from '../event/definitions';
import { shownAuth } from '../event/endpoint-auth';
import type { EntityEvent } from '../event/entity-event';
import { parseSpelledJson, type JsonValue } from '../event/json-document';
import { failed, type Failed, type Outcome } from '../event/outcome';
import { compileTemplate, EmptyValueError, TemplateRenderError, type Template } from '../matching/template/template';
import type { CachedAnswer, LookupCache } from '../cache/lookup-cache';

/** A refresh that fails is told no more often than this, in milliseconds. */
const TELL_EVERY = 60_000;

/** Undefined: there is nothing to be found. */
export type LookedUp = { readonly value: JsonValue | undefined } | Failed;

const NOTHING: LookedUp = { value: undefined };

/** A GET that a look-up would make. */
export interface AskedLookup {
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

interface Question {
  readonly path: string;
  readonly headers: readonly string[];
  /** Key of the answer in the cache, and of the one request that asks for it. */
  readonly key: string;
}

/** One look-up: the same question is asked once at a time, and again when its answer has grown old. */
export class Lookup {
  private readonly path: Template;
  private readonly headers: readonly (readonly [string, Template])[];
  private readonly asked = new Map<string, Promise<LookedUp>>();
  private toldAt = -TELL_EVERY;

  constructor(
    private readonly definition: LookupDefinition,
    private readonly sender: HttpSender,
    private readonly cache: LookupCache,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {
    const { url, headers } = definition.endpoint;
    this.path = compileTemplate(splitUrl(url)[1], 'url');
    this.headers = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), compileTemplate(value, 'header')] as const);
  }

  /** At once when the cache has it. Never throws or rejects. */
  find(event: EntityEvent): LookedUp | Promise<LookedUp> {
    let question: Question | null;
    try {
      question = this.questionOf(event);
    } catch (error) {
      if (error instanceof TemplateRenderError) return this.failure(error.message);
      throw error;
    }
    if (question === null) return NOTHING;
    const answer = this.cache.get(question.key);
    const age = answer === undefined ? Infinity : this.clock.monotonic() - answer.at;
    const { ttl, staleFor } = this.definition;
    if (answer !== undefined && age < ttl) return answer;
    const next = this.ask(question);
    if (answer === undefined || age >= ttl + staleFor) return next;
    void this.refreshed(next);
    return answer;
  }

  /** What would be asked for, and nothing is asked; null when there is nothing to ask for. @throws TemplateRenderError */
  asks(event: EntityEvent): AskedLookup | null {
    const question = this.questionOf(event);
    if (question === null) return null;
    const { headers, path } = question;
    const pairs = headers.flatMap((name, i) => (i % 2 === 0 ? [[name, headers[i + 1] ?? ''] as const] : []));
    const { url, auth } = this.definition.endpoint;
    return { url: `${splitUrl(url)[0]}${path}`, headers: [...pairs, ...shownAuth(auth)] };
  }

  /** Null: a value that it is made of is null or missing, or in the path empty, so there is nothing to ask for. */
  private questionOf(event: EntityEvent): Question | null {
    const path = this.pathOf(event);
    if (path === null) return null;
    const values = this.headers.map(([name, value]) => [name, value.render(event)] as const);
    if (values.some(([, { missing }]) => missing.length > 0)) return null;
    const accept = values.some(([name]) => name === 'accept') ? [] : ['accept', 'application/json'];
    const headers = [...accept, ...values.flatMap(([name, { text }]) => [name, text])];
    const { name, endpoint } = this.definition;
    return { path, headers, key: [name, endpoint.url, path, ...headers].join('\n') };
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

  private ask(question: Question): Promise<LookedUp> {
    const asked = this.asked.get(question.key) ?? this.answer(question).finally(() => this.asked.delete(question.key));
    this.asked.set(question.key, asked);
    return asked;
  }

  private async answer({ path, headers, key }: Question): Promise<LookedUp> {
    await this.place();
    try {
      const [outcome, body] = await this.sender.fetch({ path, method: 'GET', headers, body: null });
      const found = this.foundIn(outcome, body);
      if (!('error' in found)) this.cache.set(key, { value: found.value, at: this.clock.monotonic() } satisfies CachedAnswer, body.length);
      return found;
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

  private foundIn(outcome: Outcome, body: Buffer): LookedUp {
    if (!outcome.ok && (outcome.status === 404 || outcome.status === 410)) return NOTHING;
    if (!outcome.ok) return this.failure(outcome.message, outcome);
    if (outcome.status === 204) return NOTHING;
    try {
      return { value: parseSpelledJson(UTF8.decode(body)) };
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
  private async refreshed(next: Promise<LookedUp>): Promise<void> {
    const found = await next;
    const now = this.clock.monotonic();
    if (!('error' in found) || now - this.toldAt < TELL_EVERY) return;
    this.toldAt = now;
    this.logger.warn({ lookup: this.definition.name }, `the old answer is used for now: ${found.message}`);
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });
