import type { TermConnections } from '../connections/term-connections';
import type { PublishActionDefinition, PublishTarget, PublishTo } from '../event/definitions';
import { compileBody } from '../matching/template/template';
import type { ActionHandler, PreparedAction } from './action-handler';
import { PreparedKafkaMessage } from './publish/kafka';
import type { MessageParts } from './publish/message';
import { PreparedNatsMessage } from './publish/nats';
import { PreparedRabbitMessage } from './publish/rabbit';
import { PreparedEntry } from './publish/redis';

type Brokers = Pick<TermConnections, PublishTarget['broker']>;

type Prepare<Broker extends PublishTarget['broker']> = (
  to: PublishTo<Broker>,
  parts: MessageParts,
  server: NonNullable<Brokers[Broker]>,
) => PreparedAction;

/** The one table of brokers: a new one is a file and a line. */
const TARGETS: { readonly [Broker in PublishTarget['broker']]: Prepare<Broker> } = {
  nats: (to, parts, server) => new PreparedNatsMessage(to, parts, server),
  redis: (to, parts, server) => new PreparedEntry(to, parts, server),
  kafka: (to, parts, server) => new PreparedKafkaMessage(to, parts, server),
  rabbitmq: (to, parts, server) => new PreparedRabbitMessage(to, parts, server),
};

/** Sends a message to a broker. */
export function publishAction(brokers: Brokers): ActionHandler<PublishActionDefinition> {
  return {
    type: 'publish',
    prepare: ({ to, body, timeout }) =>
      prepare(to, { body: body === null ? null : compileBody(body, false), isText: typeof body === 'string', timeout }, brokers),
  };
}

function prepare<Broker extends PublishTarget['broker']>(to: PublishTo<Broker>, parts: MessageParts, brokers: Brokers): PreparedAction {
  const broker = to.broker;
  const server = brokers[broker];
  if (server === null) throw new Error(`a publish action to ${broker} without its URL got past the check of the file`);
  return TARGETS[broker](to, parts, server);
}
