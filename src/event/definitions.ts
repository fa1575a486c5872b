import type { EventKind } from './entity-event';

/** A duration in milliseconds; the file writes `250ms 10s 5m 1h 3d`. */
export type Milliseconds = number;

/** When and how often a failed delivery is tried again. */
export interface RetryPolicy {
  readonly strategy: 'exponential' | 'linear' | 'fixed' | 'schedule';
  /** Tries in all, the first included; with `schedule` one more than its entries. */
  readonly maxAttempts: number;
  readonly initialDelay: Milliseconds;
  readonly maxDelay: Milliseconds;
  /** No try begins later than this after the first one; null means that only the attempts count. */
  readonly maxElapsed: Milliseconds | null;
  /** The waits of `schedule`, in order; empty otherwise. */
  readonly schedule: readonly Milliseconds[];
}

/** A destination: what limits, keep-alive connections and health belong to. */
export interface EndpointDefinition {
  /** The name under `endpoints:`, or `observer/action` for an action that gives its own `url`. */
  readonly name: string;
  /** May hold `{{ }}` in its path and query, never in its origin. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** `whsec_…`; the first is current, all sign during a rotation. Empty: unsigned. */
  readonly signingSecrets: readonly string[];
  readonly timeout: Milliseconds;
  /** Requests under way at once. */
  readonly concurrency: number;
  /** CIDR blocks, addresses, host names, `private` or `loopback` that may be dialled besides public addresses. */
  readonly allowAddresses: readonly string[];
}

export type BodyTemplate = string | { readonly [key: string]: unknown } | readonly unknown[];

export interface WebhookActionDefinition {
  readonly type: 'webhook';
  readonly name: string;
  readonly endpoint: EndpointDefinition;
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'GET';
  /** Added to the endpoint's, and stronger. Values may hold `{{ }}`. */
  readonly headers: Readonly<Record<string, string>>;
  /** Null: the default envelope. */
  readonly body: BodyTemplate | null;
}

/** A message to a Slack incoming webhook, whose URL is the endpoint's. */
export interface SlackActionDefinition {
  readonly type: 'slack';
  readonly name: string;
  readonly endpoint: EndpointDefinition;
  /** What is shown, or with blocks what notifications say. Slack's mrkdwn; may hold `{{ }}`. */
  readonly text: string;
  /** Slack's Block Kit; its strings may hold `{{ }}`. */
  readonly blocks: readonly unknown[] | null;
}

/** A mail by the SMTP server of the settings. All texts may hold `{{ }}`. */
export interface EmailActionDefinition {
  readonly type: 'email';
  readonly name: string;
  readonly from: string;
  /** Each is one address once it is rendered. */
  readonly to: readonly string[];
  readonly cc: readonly string[];
  readonly bcc: readonly string[];
  readonly replyTo: string | null;
  readonly subject: string;
  /** At least one of text and html. */
  readonly text: string | null;
  /** Values are escaped for HTML. */
  readonly html: string | null;
  readonly timeout: Milliseconds;
}

/** A call of a function in the service's own database, committed together with its outcome. */
export interface DatabaseActionDefinition {
  readonly type: 'database';
  readonly name: string;
  /** `schema.function`; it takes the envelope, as json, jsonb or text. */
  readonly function: string;
  readonly timeout: Milliseconds;
}

export interface LogActionDefinition {
  readonly type: 'log';
  readonly name: string;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** Null: the envelope's summary alone. May hold `{{ }}`. */
  readonly message: string | null;
}

export type ActionDefinition =
  WebhookActionDefinition | SlackActionDefinition | EmailActionDefinition | DatabaseActionDefinition | LogActionDefinition;

/** Which events cause which actions. */
export interface ObserverDefinition {
  readonly name: string;
  /** Entity types, or `*` for all. */
  readonly entities: readonly string[] | '*';
  readonly kinds: readonly EventKind[];
  /** Source of the condition; null matches every event of these entities and kinds. */
  readonly when: string | null;
  readonly retry: RetryPolicy;
  readonly actions: readonly ActionDefinition[];
}

export type Mask = 'hash' | 'drop';

/** One table whose changes are recorded. */
export interface CaptureDefinition {
  /** Schema-qualified, as in `public.orders`. */
  readonly table: string;
  readonly entity: string;
  /** Null: the primary key. */
  readonly key: readonly string[] | null;
  /** Whether an update records the row as it was. */
  readonly before: boolean;
  readonly tenant: string | null;
  /** Only these columns are recorded; null: all. */
  readonly include: readonly string[] | null;
  /** These columns do not exist for observers. */
  readonly exclude: readonly string[];
  /** `hash`: a salted SHA-256 in place of the value; `drop`: no value, but a change of it is still named. */
  readonly mask: Readonly<Record<string, Mask>>;
  /** SQL over the row's columns: only rows for which it holds (after the change; before a delete) are recorded. */
  readonly when: string | null;
  /** The user's write fails when the change cannot be recorded whole. */
  readonly strict: boolean;
}

/** What the observers file says, resolved: defaults applied, secrets in place, endpoints linked. */
export interface ObserversDefinition {
  readonly captures: readonly CaptureDefinition[];
  readonly endpoints: readonly EndpointDefinition[];
  readonly observers: readonly ObserverDefinition[];
}
