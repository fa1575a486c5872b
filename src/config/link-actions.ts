import type { ActionDefinition, BodyTemplate, EndpointDefinition } from '../event/definitions';
import { sendsJson } from '../event/webhook-headers';
import { compileBody, compileTemplate } from '../matching/template/template';
import { addressProblem, headerProblem, repeatedHeader, secretProblem, urlProblem } from './checks';
import type { Complaints, Path } from './complaints';
import { didYouMean } from './problems';
import type { ActionShape, EmailShape, EndpointShape, SlackShape, WebhookShape } from './schema';
import type { Settings } from './settings';
import { durationOf } from './units';

const DEFAULT_TIMEOUT = '10s';
const DEFAULT_CONCURRENCY = 32;
const DEFAULT_MAIL_TIMEOUT = '30s';

/** What an endpoint says, or an action that is its own. */
type Destination = Omit<EndpointShape, 'url'> & { readonly url?: string | undefined };

/** Endpoints, and the actions that use them. */
export class ActionLinker {
  readonly endpoints = new Map<string, EndpointDefinition>();

  constructor(
    private readonly says: Complaints,
    private readonly settings: Pick<Settings, 'smtpUrl' | 'mailFrom'>,
  ) {}

  endpoint(name: string, shape: Destination, path: Path): EndpointDefinition {
    const url = shape.url ?? '';
    this.says.check([...path, 'url'], urlProblem(url));
    this.says.template([...path, 'url'], () => compileTemplate(url, 'url'));
    this.headers(shape.headers ?? {}, [...path, 'headers']);
    const secrets = shape.signing?.secrets ?? [];
    secrets.forEach((secret, i) => this.says.check([...path, 'signing', 'secrets', i], secretProblem(secret)));
    (shape.allow_addresses ?? []).forEach((entry, i) => this.says.check([...path, 'allow_addresses', i], addressProblem(entry)));
    return {
      name,
      url,
      headers: shape.headers ?? {},
      signingSecrets: secrets,
      timeout: durationOf(shape.timeout ?? DEFAULT_TIMEOUT),
      concurrency: shape.concurrency ?? DEFAULT_CONCURRENCY,
      allowAddresses: shape.allow_addresses ?? [],
    };
  }

  action(shape: ActionShape, observer: string, path: Path): ActionDefinition {
    const name = shape.name ?? shape.type;
    switch (shape.type) {
      case 'log':
        if (shape.message !== undefined) this.says.template([...path, 'message'], () => compileTemplate(shape.message as string, 'text'));
        return { type: 'log', name, level: shape.level ?? 'info', message: shape.message ?? null };
      case 'webhook':
        return this.webhook(shape, name, `${observer}/${name}`, path);
      case 'slack':
        return this.slack(shape, name, `${observer}/${name}`, path);
      case 'database':
        return { type: 'database', name, function: shape.function, timeout: durationOf(shape.timeout ?? DEFAULT_TIMEOUT) };
      case 'email':
        return this.email(shape, name, path);
    }
  }

  private webhook(shape: WebhookShape, name: string, ownEndpoint: string, path: Path): ActionDefinition {
    const { body = null, headers = {} } = shape;
    if (body !== null && shape.method === 'GET') this.says.complain([...path, 'body'], 'a GET carries no body; leave it out, or use POST');
    const endpoint = this.destination(shape, ownEndpoint, path);
    this.headers(headers, [...path, 'headers']);
    if (body !== null) this.body(body, sendsJson({ endpoint, headers }), [...path, 'body']);
    return { type: 'webhook', name, endpoint, method: shape.method ?? 'POST', headers, body: body as BodyTemplate | null };
  }

  private slack(shape: SlackShape, name: string, ownEndpoint: string, path: Path): ActionDefinition {
    const endpoint = this.destination(shape, ownEndpoint, path);
    const { text, blocks = null } = shape;
    this.body(blocks === null ? { text } : { text, blocks }, true, path);
    return { type: 'slack', name, endpoint, text, blocks };
  }

  private email(shape: EmailShape, name: string, path: Path): ActionDefinition {
    if (this.settings.smtpUrl === null)
      this.says.complain([...path, 'type'], 'email needs a server: set SMTP_URL, or smtp_url under settings:');
    const from = shape.from ?? this.settings.mailFrom ?? '';
    if (from === '') this.says.complain(path, 'an email needs a sender: give from, or set OBSERVERS_MAIL_FROM');
    const { text = null, html = null, reply_to: replyTo = null, subject } = shape;
    if (text === null && html === null) this.says.complain(path, 'give text or html, or both');
    const lists = { to: [shape.to].flat(), cc: [shape.cc ?? []].flat(), bcc: [shape.bcc ?? []].flat() };
    const texts = { from, reply_to: replyTo ?? '', subject, text: text ?? '' };
    for (const [key, source] of Object.entries(texts)) this.says.template([...path, key], () => compileTemplate(source, 'text'));
    this.says.template([...path, 'html'], () => compileTemplate(html ?? '', 'html'));
    for (const [key, list] of Object.entries(lists)) {
      const at = (i: number): Path => (Array.isArray(shape[key as keyof typeof lists]) ? [...path, key, i] : [...path, key]);
      list.forEach((source, i) => this.says.template(at(i), () => compileTemplate(source, 'text')));
    }
    return {
      type: 'email',
      name,
      from,
      ...lists,
      replyTo,
      subject,
      text,
      html,
      timeout: durationOf(shape.timeout ?? DEFAULT_MAIL_TIMEOUT),
    };
  }

  /** The endpoint that an action names, or one of its own. */
  private destination(shape: WebhookShape | SlackShape, ownName: string, path: Path): EndpointDefinition {
    if ((shape.endpoint === undefined) === (shape.url === undefined))
      this.says.complain(path, 'give either endpoint (a name under endpoints:) or url');
    return shape.endpoint === undefined ? this.endpoint(ownName, { ...shape, headers: {} }, path) : this.named(shape, path);
  }

  private named(shape: WebhookShape | SlackShape, path: Path): EndpointDefinition {
    for (const key of ['signing', 'timeout', 'concurrency', 'allow_addresses'] as const) {
      if (key in shape && shape[key as keyof typeof shape] !== undefined)
        this.says.complain([...path, key], `${key} belongs to the endpoint "${shape.endpoint}", for all actions that use it`);
    }
    const found = this.endpoints.get(shape.endpoint as string);
    if (found !== undefined) return found;
    const known = [...this.endpoints.keys()];
    this.says.complain([...path, 'endpoint'], `there is no endpoint "${shape.endpoint}"${didYouMean(shape.endpoint as string, known)}`);
    return { name: '', url: '', headers: {}, signingSecrets: [], timeout: 0, concurrency: 1, allowAddresses: [] };
  }

  private headers(headers: Readonly<Record<string, string>>, path: Path): void {
    for (const [header, value] of Object.entries(headers)) {
      const problem = headerProblem(header, value);
      if (problem === null) this.says.template([...path, header], () => compileTemplate(value, 'header'));
      else this.says.complain([...path, header], problem);
    }
    const repeated = repeatedHeader(Object.keys(headers));
    if (repeated !== null) this.says.complain([...path, repeated], `the header ${repeated} is there already, in other letters`);
  }

  /** Text by text, so that each mistake has its own place; as a whole only when they are all right, for what lies between them. */
  private body(body: unknown, json: boolean, path: Path): void {
    const before = this.says.problems.length;
    const visit = (part: unknown, at: Path): void => {
      if (typeof part === 'string') this.says.template(at, () => compileTemplate(part, 'text'));
      else if (Array.isArray(part)) part.forEach((entry, i) => visit(entry, [...at, i]));
      else if (typeof part === 'object' && part !== null) for (const [key, entry] of Object.entries(part)) visit(entry, [...at, key]);
    };
    visit(body, path);
    if (this.says.problems.length === before) this.says.template(path, () => compileBody(body as BodyTemplate, json));
  }
}
