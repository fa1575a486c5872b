import type { EndpointDefinition, EndpointLimits, Milliseconds } from './endpoint-definition';

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
  /** Null: each delivery is a request. */
  readonly batch: WebhookBatch | null;
}

/** Deliveries that go as one request, whose body is a JSON array. */
export interface WebhookBatch {
  /** Deliveries in one request at most. */
  readonly max: number;
  /** How long the first waits for others. */
  readonly within: Milliseconds;
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
  /** Each names its mailboxes; what comes from data is only ever a part of one, or one address. */
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

/** A text message by the provider of the settings. All texts may hold `{{ }}`. */
export interface SmsActionDefinition {
  readonly type: 'sms';
  readonly name: string;
  /** One number in E.164 once it is rendered. */
  readonly to: string;
  /** A number, a sender's name, or the id of a messaging service. */
  readonly from: string;
  readonly text: string;
  readonly timeout: Milliseconds;
}

/** What a push shows and carries. All texts may hold `{{ }}`. */
export interface PushContent {
  /** title, body, image. */
  readonly notification: Readonly<Record<string, string>> | null;
  readonly data: Readonly<Record<string, string>>;
  /** How long the provider keeps it for a device that is away; null: as long as it does by itself. */
  readonly ttl: Milliseconds | null;
  readonly timeout: Milliseconds;
}

export interface FcmPushDefinition extends PushContent {
  readonly provider: 'fcm';
  readonly target: { readonly kind: 'token' | 'topic' | 'condition'; readonly value: string };
}

export interface WebPushDefinition extends PushContent {
  readonly provider: 'web push';
  /** Renders to the JSON that the browser gave out. */
  readonly subscription: string;
  readonly urgency: 'very-low' | 'low' | 'normal' | 'high' | null;
  /** Push services that may be dialled besides public addresses. */
  readonly allowAddresses: readonly string[];
}

/** A notification to an app or a browser. */
export interface PushActionDefinition {
  readonly type: 'push';
  readonly name: string;
  readonly timeout: Milliseconds;
  readonly to: FcmPushDefinition | WebPushDefinition;
}

/** What happens to keys of the application's cache. All texts may hold `{{ }}`. */
export interface CacheActionDefinition {
  readonly type: 'cache';
  readonly name: string;
  /** Keys that are removed. */
  readonly keys: readonly string[];
  /** Redis patterns of keys that are removed. */
  readonly patterns: readonly string[];
  /** A key that gets a new value, or, when the row is deleted, is removed. */
  readonly set: CacheValue | null;
  readonly timeout: Milliseconds;
}

export interface CacheValue {
  readonly key: string;
  readonly value: BodyTemplate;
  /** Null: for good. */
  readonly ttl: Milliseconds | null;
}

/** A message to a broker. All texts may hold `{{ }}`, but for the names of a topic and an exchange. */
export interface PublishActionDefinition {
  readonly type: 'publish';
  readonly name: string;
  readonly to: PublishTarget;
  /** Null: the envelope. */
  readonly body: BodyTemplate | null;
  readonly timeout: Milliseconds;
}

type Headers = Readonly<Record<string, string>>;

export type PublishTarget =
  | { readonly broker: 'nats'; readonly subject: string; readonly headers: Headers }
  /** `maxLength`: about so many entries are kept; null: all. */
  | { readonly broker: 'redis'; readonly stream: string; readonly maxLength: number | null }
  /** `key`: what is of one partition, and so in order; null: the entity. */
  | { readonly broker: 'kafka'; readonly topic: string; readonly key: string | null; readonly headers: Headers }
  /** An `exchange` without a name is the default one, whose routing keys are names of queues. */
  | { readonly broker: 'rabbitmq'; readonly exchange: string; readonly routingKey: string; readonly headers: Headers };

/** The target of one broker. */
export type PublishTo<Broker extends PublishTarget['broker']> = Extract<PublishTarget, { readonly broker: Broker }>;

/** A call of a function in the service's own database, committed together with its outcome. */
export interface DatabaseActionDefinition {
  readonly type: 'database';
  readonly name: string;
  /** `schema.function`; it takes the envelope, as json, jsonb or text. */
  readonly function: string;
  readonly timeout: Milliseconds;
}

/** An action of the user's own module. */
export interface CustomActionDefinition {
  readonly type: 'custom';
  readonly name: string;
  /** The name by which its provider is registered. */
  readonly handler: string;
  /** As the file has them; the provider's schema has accepted them. */
  readonly options: unknown;
  /** `observer/action`: limits are each action's own. */
  readonly endpoint: string;
  readonly limits: EndpointLimits;
  readonly timeout: Milliseconds;
}

/** A document in Elasticsearch, whose version is the change number. */
export interface SearchActionDefinition {
  readonly type: 'search';
  readonly name: string;
  readonly index: string;
  /** May hold `{{ }}`. */
  readonly id: string;
  /** `auto`: a deletion deletes, everything else indexes. */
  readonly operation: 'auto' | 'index' | 'update' | 'delete';
  /** Null: the row. Its texts may hold `{{ }}`. */
  readonly document: string | { readonly [key: string]: unknown } | null;
  /** May hold `{{ }}`; null: by the id. */
  readonly routing: string | null;
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
  | WebhookActionDefinition
  | SlackActionDefinition
  | EmailActionDefinition
  | SmsActionDefinition
  | PushActionDefinition
  | CacheActionDefinition
  | PublishActionDefinition
  | DatabaseActionDefinition
  | CustomActionDefinition
  | SearchActionDefinition
  | LogActionDefinition;
