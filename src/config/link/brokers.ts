import type { BodyTemplate, PublishActionDefinition, PublishTarget, PublishTo } from '../../event/definitions';
import { compileBody, compileTemplate, literalsOf } from '../../matching/template/template';
import type { Path } from '../file-problems';
import type { PublishShape } from '../schema/actions';
import type { Settings } from '../settings';
import { durationOf } from '../units';
import { checkBody, type ActionPlace, type LinkContext } from './context';

const DEFAULT_TIMEOUT = '5s';

export function linkPublish(shape: PublishShape, { name, path }: ActionPlace, context: LinkContext): PublishActionDefinition {
  const body = (shape.body ?? null) as BodyTemplate | null;
  if (body !== null) checkBody(context.problems, body, () => compileBody(body, false), [...path, 'body']);
  const timeout = durationOf(shape.timeout ?? DEFAULT_TIMEOUT);
  return { type: 'publish', name, to: linkTarget(shape, path, context), body, timeout };
}

/** Fields of the file that not every broker has. */
type Field = 'headers' | 'max_length' | 'key' | 'routing_key';

interface Kind<Broker extends PublishTarget['broker']> {
  /** The field that stands for it. */
  readonly chosenBy: 'subject' | 'stream' | 'topic' | 'exchange';
  readonly needs: { readonly what: string; readonly setting: keyof Settings; readonly variable: string };
  /** The fields that it has not, and why. */
  readonly lacks: Partial<Record<Field, string>>;
  readonly link: (shape: PublishShape, path: Path, context: LinkContext) => PublishTo<Broker>;
}

const OF_KAFKA = 'only a message of Kafka has a key; give topic';
const OF_RABBIT = 'only RabbitMQ has routing keys; give exchange';

/** The one table of what `publish` can send to. */
const KINDS: { readonly [Broker in PublishTarget['broker']]: Kind<Broker> } = {
  nats: {
    chosenBy: 'subject',
    needs: { what: 'publish', setting: 'natsUrl', variable: 'NATS_URL' },
    lacks: { max_length: 'how much is kept is decided by the stream of NATS', key: OF_KAFKA, routing_key: OF_RABBIT },
    link: linkNats,
  },
  redis: {
    chosenBy: 'stream',
    needs: { what: 'a Redis stream', setting: 'redisUrl', variable: 'REDIS_URL' },
    lacks: { headers: 'an entry of a Redis stream has no headers', key: OF_KAFKA, routing_key: OF_RABBIT },
    link: linkRedis,
  },
  kafka: {
    chosenBy: 'topic',
    needs: { what: 'a Kafka topic', setting: 'kafkaUrl', variable: 'KAFKA_URL' },
    lacks: { max_length: 'how much is kept is decided by the topic of Kafka', routing_key: OF_RABBIT },
    link: linkKafka,
  },
  rabbitmq: {
    chosenBy: 'exchange',
    needs: { what: 'an exchange of RabbitMQ', setting: 'rabbitmqUrl', variable: 'RABBITMQ_URL' },
    lacks: { max_length: 'how much is kept is decided by the queue of RabbitMQ', key: OF_KAFKA },
    link: linkRabbit,
  },
};

function linkTarget(shape: PublishShape, path: Path, context: LinkContext): PublishTarget {
  const { problems, settings } = context;
  const chosen = Object.values(KINDS).filter(({ chosenBy }) => shape[chosenBy] !== undefined);
  if (chosen.length !== 1)
    problems.add(path, 'give subject (NATS JetStream), stream (Redis), topic (Kafka) or exchange (RabbitMQ), one of them');
  const [kind] = chosen;
  // Whatever it is, the file is refused.
  if (kind === undefined) return { broker: 'redis', stream: '', maxLength: null };
  const { what, setting, variable } = kind.needs;
  if (settings[setting] === null)
    problems.add([...path, 'type'], `${what} needs a server: set ${variable}, or ${variable.toLowerCase()} under settings:`);
  for (const [field, why] of Object.entries(kind.lacks)) if (shape[field as Field] !== undefined) problems.add([...path, field], why);
  return kind.link(shape, path, context);
}

function linkNats({ subject = '', headers = {} }: PublishShape, path: Path, context: LinkContext): PublishTo<'nats'> {
  const { problems } = context;
  problems.template([...path, 'subject'], () => compileTemplate(subject, 'subject'));
  problems.check([...path, 'subject'], subjectProblem(subject));
  checkHeaders(headers, { ours: /^nats-/i, said: 'Nats-' }, path, context);
  return { broker: 'nats', subject, headers };
}

function linkRedis({ stream = '', max_length }: PublishShape, path: Path, { problems }: LinkContext): PublishTo<'redis'> {
  problems.template([...path, 'stream'], () => compileTemplate(stream, 'text'));
  return { broker: 'redis', stream, maxLength: max_length ?? null };
}

function linkKafka({ topic = '', key, headers = {} }: PublishShape, path: Path, context: LinkContext): PublishTo<'kafka'> {
  context.problems.check([...path, 'topic'], topicProblem(topic));
  if (key !== undefined) context.problems.template([...path, 'key'], () => compileTemplate(key, 'text'));
  checkHeaders(headers, { ours: /^ce_/i, said: 'ce_' }, path, context);
  return { broker: 'kafka', topic, key: key ?? null, headers };
}

function linkRabbit(shape: PublishShape, path: Path, context: LinkContext): PublishTo<'rabbitmq'> {
  const { exchange = '', routing_key: routingKey = '', headers = {} } = shape;
  context.problems.template([...path, 'routing_key'], () => compileTemplate(routingKey, 'subject'));
  context.problems.check([...path, 'exchange'], exchangeProblem(exchange));
  if (exchange === '' && routingKey === '')
    context.problems.add([...path, 'routing_key'], 'the default exchange needs the name of a queue as its routing key');
  checkHeaders(headers, { ours: /^cloudEvents[:_]/i, said: 'cloudEvents:' }, path, context);
  return { broker: 'rabbitmq', exchange, routingKey, headers };
}

/** Checks what stands outside the tags; values are encoded. */
function subjectProblem(subject: string): string | null {
  const literal = literalsOf(subject, 'x');
  if (/[\s*>]/.test(literal)) return 'a subject to publish to holds no blank, * or >';
  if (/^\$/.test(literal)) return 'subjects that begin with $ belong to the server';
  return literal.split('.').includes('') ? 'a subject has no empty part between its dots' : null;
}

function topicProblem(topic: string): string | null {
  if (/\{[{%]/.test(topic)) return 'the name of a topic is no template; key may be one';
  return /^(?!\.{1,2}$)[\w.-]{1,249}$/.test(topic) ? null : 'a topic has letters, digits, ., _ and -, at most 249 of them';
}

function exchangeProblem(exchange: string): string | null {
  if (/\{[{%]/.test(exchange)) return 'the name of an exchange is no template; routing_key may be one';
  return Buffer.byteLength(exchange) <= 255 ? null : 'the name of an exchange has at most 255 bytes';
}

/** @param ours names that the service sets itself, and how they are said to begin */
function checkHeaders(
  headers: Readonly<Record<string, string>>,
  { ours, said }: { readonly ours: RegExp; readonly said: string },
  path: Path,
  { problems, endpoints }: LinkContext,
): void {
  endpoints.headers(headers, [...path, 'headers']);
  for (const name of Object.keys(headers))
    if (ours.test(name)) problems.add([...path, 'headers', name], `headers that begin with ${said} are set by the service itself`);
}
