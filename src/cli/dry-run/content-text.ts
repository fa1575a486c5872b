import type { Content, Header } from '../../actions/rendering';
import type { ShownDelivery } from '../../dry-run/renderer';
import { jsonText } from '../../event/json-text';
import { colors, cut } from '../output';

/** Characters of a body on the screen; `--format json` has all of it. */
const LONGEST = 4_000;

/** What one delivery would send, for people. */
export function deliveryLines({ action, type, content, payload, missing, fromLookups, notes, problem }: ShownDelivery): string[] {
  const name = `→ ${colors.bold(action)}${type === action ? '' : ` (${type})`}`;
  if (content === null) return [`${name}: ${colors.red('nothing would be sent')}, ${problem}`];
  const digest = payload === null ? '' : colors.dim(`  ${payload.bytes} bytes, sha256 ${payload.sha256.slice(0, 16)}…`);
  return [
    `${name}: ${headOf(content)}${digest}`,
    ...linesOf(content).map((line) => `    ${line}`),
    ...(missing.length === 0 ? [] : [`    ${colors.yellow(`missing: ${unique(missing)}`)}`]),
    ...(fromLookups.length === 0 ? [] : [`    ${colors.yellow(`not known without look-ups: ${unique(fromLookups)}`)}`]),
    ...notes.map((note) => `    ${colors.dim(note)}`),
  ];
}

/** Between a body and what follows stands an empty line; behind the last one it would stand twice. */
export function withoutLastGap(lines: readonly string[]): readonly string[] {
  return lines.at(-1)?.trim() === '' ? lines.slice(0, -1) : lines;
}

function unique(names: readonly string[]): string {
  return [...new Set(names)].join(', ');
}

function headOf(content: Content): string {
  switch (content.type) {
    case 'http':
      return `${content.method} ${content.url}`;
    case 'email':
      return `a mail to ${[...content.to, ...content.cc, ...content.bcc].join(', ')}`;
    case 'search':
      return `${content.operation} of the document ${content.id} in ${content.index}, version ${content.version}`;
    case 'cache':
      return 'keys in Redis';
    case 'nats':
      return `a message to the subject ${content.subject} of NATS`;
    case 'kafka':
      return `a message to the topic ${content.topic} of Kafka, with the key ${content.key}`;
    case 'rabbitmq':
      return `a message to ${content.exchange === '' ? 'the default exchange' : `the exchange ${content.exchange}`} of RabbitMQ, with the routing key ${content.routingKey}`;
    case 'redis stream':
      return `an entry of the stream ${content.stream} of Redis`;
    case 'database':
      return `${content.function}(envelope) in the database`;
    case 'log':
      return `a line at level ${content.level}`;
    case 'custom':
      return content.rendered === null ? 'not rendered' : content.handler;
  }
}

function linesOf(content: Content): string[] {
  switch (content.type) {
    case 'http':
      return [...headerLines(content.headers), ...bodyLines(content.body)];
    case 'email':
      return mailLines(content);
    case 'search':
      return [...headerLines(content.routing === null ? [] : [['routing', content.routing]]), ...bodyLines(content.document)];
    case 'cache':
      return cacheLines(content);
    case 'nats':
    case 'kafka':
    case 'rabbitmq':
      return [...headerLines(content.headers), ...bodyLines(content.body)];
    case 'redis stream':
      return headerLines(content.fields);
    case 'database':
      return bodyLines(content.argument);
    case 'log':
      return [content.message, ...headerLines(Object.entries(content.fields))];
    case 'custom':
      return content.rendered === null ? [] : bodyLines(typeof content.rendered === 'string' ? content.rendered : jsonText(content.rendered, 2)); // prettier-ignore
  }
}

function mailLines({ from, to, cc, bcc, replyTo, subject, messageId, text, html }: Extract<Content, { type: 'email' }>): string[] {
  const lists: Header[] = [['from', from], ...Object.entries({ to, cc, bcc }).map(([name, all]): Header => [name, all.join(', ')])];
  const heads: Header[] = [...lists, ['reply-to', replyTo ?? ''], ['subject', subject], ['message-id', messageId]];
  return [...headerLines(heads.filter(([, value]) => value !== '')), ...bodyLines(text), ...bodyLines(html)];
}

function cacheLines({ delete: keys, deleteMatching, set }: Extract<Content, { type: 'cache' }>): string[] {
  const ttl = set?.ttl == null ? 'for good' : `for ${set.ttl} ms`;
  return [
    ...keys.map((key) => `delete ${key}`),
    ...deleteMatching.map((pattern) => `delete all of ${pattern}`),
    ...(set === null ? [] : [set.value === null ? `delete ${set.key}` : `set ${set.key} ${ttl} to ${cut(set.value, LONGEST)}`]),
  ];
}

function headerLines(headers: readonly Header[]): string[] {
  return headers.map(([name, value]) => `${colors.dim(`${name}:`)} ${cut(value, LONGEST)}`);
}

function bodyLines(body: string | null): string[] {
  if (body === null || body === '') return [];
  const shown = body.length <= LONGEST ? body : `${body.slice(0, LONGEST)}… (${body.length - LONGEST} more characters)`;
  return ['', ...shown.split('\n'), ''];
}
