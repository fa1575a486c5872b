import type { Settings } from '../../config/settings';
import { messageOf } from '../../event/errors';
import type { Outcome } from '../../event/outcome';
import { SECRETS } from '../../event/secrets';
import { within } from '../../event/timing';
import type { ServerFinding } from '../server-finding';

type Examined = Pick<Settings, 'natsUrl' | 'kafkaUrl' | 'rabbitmqUrl'>;

interface Examination {
  readonly name: string;
  readonly setting: keyof Examined;
  readonly variable: string;
  /** Who answers. */
  readonly look: (url: string, timeout: number) => Promise<string>;
  readonly outcomeOf: (error: Error) => Promise<Outcome>;
  /** What the guarantee of a delivery ends with. */
  readonly worth: string;
}

/** Milliseconds; whoever asks has somebody waiting. */
const TIMEOUT = 5_000;

const BROKERS: readonly Examination[] = [
  {
    name: 'NATS',
    setting: 'natsUrl',
    variable: 'NATS_URL',
    look: async (url, timeout) => (await import('../nats-server')).lookAtNats(url, timeout),
    outcomeOf: async (error) => (await import('../nats-protocol')).outcomeOf(error, TIMEOUT),
    worth: 'its stream has the message, and not yet on disk: a server writes out every two minutes, unless sync_interval says otherwise',
  },
  {
    name: 'Kafka',
    setting: 'kafkaUrl',
    variable: 'KAFKA_URL',
    look: async (url, timeout) => (await import('../kafka/producer')).lookAtKafka(url, timeout),
    outcomeOf: async (error) => (await import('../kafka/outcomes')).outcomeOf(error, TIMEOUT),
    worth:
      'all replicas in step have the message (at least min.insync.replicas, which is 1 by default), in memory: brokers write to disk later',
  },
  {
    name: 'RabbitMQ',
    setting: 'rabbitmqUrl',
    variable: 'RABBITMQ_URL',
    look: async (url, timeout) => (await import('../rabbit/link')).lookAtRabbit(url, timeout),
    outcomeOf: async (error) => (await import('../rabbit/outcomes')).outcomeOf(error),
    worth: 'its queues have the message: a quorum queue on most of its disks, a durable classic queue on one, any other in memory only',
  },
];

/** How the brokers of publish actions are from here, and what it means when they acknowledge a message. Never rejects. */
export async function examineBrokers(settings: Examined): Promise<ServerFinding[]> {
  const findings = await Promise.all(BROKERS.map((broker) => examine(broker, settings[broker.setting])));
  return findings.filter((finding) => finding !== null);
}

async function examine({ name, variable, look, outcomeOf, worth }: Examination, url: string | null): Promise<ServerFinding | null> {
  if (url === null) return null;
  const late = (): never => {
    throw new Error(`no answer within ${TIMEOUT / 1_000} s`);
  };
  try {
    const who = await within(look(url, TIMEOUT), TIMEOUT, late);
    return { check: 'broker', state: 'ok', message: `${who}; an acknowledgement means: ${worth}`, repair: null };
  } catch (error) {
    const outcome = await outcomeOf(error as Error);
    const message = outcome.ok ? messageOf(error) : outcome.message;
    return {
      check: 'broker',
      state: 'problem',
      message: SECRETS.hide(message.includes(name) ? message : `${name}: ${message}`),
      repair: `a ${name} that answers at ${variable}`,
    };
  }
}
