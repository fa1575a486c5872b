import { createHash } from 'node:crypto';
import type { EndpointDefinition } from '../event/definitions';
import { shownAuth } from '../event/endpoint-auth';
import { jsonText } from '../event/json-text';
import type { FilledTemplates } from './fill';
import type { HttpRequest } from '../connections/http/http-sender';

/** What a try would send, made by the code that sends. It holds secrets: whoever shows it leaves them out (`Redaction`). */
export interface Rendering {
  readonly content: Content;
  /** Values that the event has not, as they are written in the templates. */
  readonly missing: readonly string[];
  /** What is not as it will be, one sentence each. */
  readonly notes: readonly string[];
}

export type Header = readonly [name: string, value: string];

export type Content =
  | {
      readonly type: 'http';
      readonly method: string;
      readonly url: string;
      readonly headers: readonly Header[];
      readonly body: string | null;
    }
  | {
      readonly type: 'email';
      readonly messageId: string;
      readonly from: string;
      readonly to: readonly string[];
      readonly cc: readonly string[];
      readonly bcc: readonly string[];
      readonly replyTo: string | null;
      readonly subject: string;
      readonly text: string | null;
      readonly html: string | null;
    }
  | {
      readonly type: 'search';
      readonly operation: 'index' | 'update' | 'delete';
      readonly index: string;
      readonly id: string;
      readonly routing: string | null;
      readonly version: number;
      /** JSON text; null for a deletion. */
      readonly document: string | null;
    }
  | {
      readonly type: 'cache';
      readonly delete: readonly string[];
      readonly deleteMatching: readonly string[];
      /** A value of null: the key is removed. */
      readonly set: { readonly key: string; readonly value: string | null; /** Milliseconds. */ readonly ttl: number | null } | null;
    }
  | { readonly type: 'nats'; readonly subject: string; readonly headers: readonly Header[]; readonly body: string }
  | {
      readonly type: 'kafka';
      readonly topic: string;
      readonly key: string;
      readonly headers: readonly Header[];
      readonly body: string;
    }
  | {
      readonly type: 'rabbitmq';
      readonly exchange: string;
      readonly routingKey: string;
      readonly headers: readonly Header[];
      readonly body: string;
    }
  | { readonly type: 'redis stream'; readonly stream: string; readonly fields: readonly Header[] }
  | { readonly type: 'database'; readonly function: string; readonly argument: string }
  | { readonly type: 'log'; readonly level: string; readonly message: string; readonly fields: Readonly<Record<string, string>> }
  /** What its handler says of itself; null when it says nothing. */
  | { readonly type: 'custom'; readonly handler: string; readonly rendered: unknown };

/** Headers that are made when a request is sent: the time, and what is signed with it. */
const MADE_WHEN_SENT: Readonly<Record<string, string>> = {
  'webhook-signature': '(signed when sent)',
  'webhook-timestamp': '(when sent)',
};

/**
 * @param base URL of the receiver, of which only the origin counts
 * @param withheld headers, by their names, that are the service's own secrets, and what is said in their place
 */
export function httpContent(
  base: string,
  { method, path, headers, body }: HttpRequest,
  withheld: Readonly<Record<string, string>> = MADE_WHEN_SENT,
): Content {
  const pairs: Header[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const [name = '', value = ''] = [headers[i], headers[i + 1]];
    pairs.push([name, withheld[name] ?? value]);
  }
  const origin = /^https?:\/\/[^/?#]+/i.exec(base)?.[0] ?? base;
  return { type: 'http', method, url: origin + path, headers: pairs, body: body === null ? null : body.toString('utf8') };
}

/** The same with what the endpoint's `auth` adds when the request is sent. */
export function shownContent({ url, auth }: EndpointDefinition, request: HttpRequest): Content {
  return httpContent(url, { ...request, headers: [...request.headers, ...shownAuth(auth).flat()] });
}

export function renderingOf(content: Content, { missing }: Pick<FilledTemplates, 'missing'>, notes: readonly string[] = []): Rendering {
  return { content, missing, notes };
}

/** What reaches the receiver as its payload: the body, where there is one. */
function payloadOf(content: Content): string {
  switch (content.type) {
    case 'http':
    case 'nats':
    case 'kafka':
    case 'rabbitmq':
      return content.body ?? '';
    case 'search':
      return content.document ?? '';
    case 'database':
      return content.argument;
    case 'log':
      return content.message;
    case 'redis stream':
      return content.fields.find(([name]) => name === 'body')?.[1] ?? '';
    case 'custom':
      return jsonText(content.rendered ?? null);
    case 'email':
    case 'cache':
      return JSON.stringify(content);
  }
}

/** Size and hash of the payload: to tell whether two are the same without keeping either. */
export interface Digest {
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

export function digestOf(content: Content): Digest {
  const payload = payloadOf(content);
  return { bytes: Buffer.byteLength(payload), sha256: createHash('sha256').update(payload).digest('hex') };
}

/** Where it would go, for what is kept: nothing that came from the event or may be secret, of a URL only the host. */
export function targetOf(content: Content): string {
  switch (content.type) {
    case 'http':
      return `${content.method} to ${URL.canParse(content.url) ? new URL(content.url).host : 'an address that is none'}`;
    case 'email': {
      const count = content.to.length + content.cc.length + content.bcc.length;
      return `a mail to ${count === 1 ? '1 recipient' : `${count} recipients`}`;
    }
    case 'search':
      return `${content.operation} of a document in Elasticsearch`;
    case 'cache': {
      const { delete: keys, deleteMatching, set } = content;
      const parts = [[keys.length, 'deleted'], [deleteMatching.length, 'deleted by pattern'], [set === null ? 0 : 1, 'set']] as const; // prettier-ignore
      return `keys in Redis: ${parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`).join(', ')}`; // prettier-ignore
    }
    case 'nats':
      return 'a message to NATS';
    case 'kafka':
      return 'a message to Kafka';
    case 'rabbitmq':
      return 'a message to RabbitMQ';
    case 'redis stream':
      return 'a message to a stream of Redis';
    case 'database':
      return 'a call of its function';
    case 'log':
      return 'a line in the log';
    case 'custom':
      return 'what its handler does';
  }
}
