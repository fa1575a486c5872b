import type { Settings } from '../config/settings';
import { SystemClock, type Clock } from '../event/clock';
import { SearchConnection } from './elasticsearch/connection';
import { HttpSenders } from './http/http-sender';
import { KafkaServer } from './kafka-server';
import { Mailer } from './mail-server';
import { NatsServer } from './nats-server';
import { RabbitServer } from './rabbit-server';
import { redisTarget } from './redis/dial';
import { RedisServer } from './redis-server';

export type ConnectionSettings = Pick<
  Settings,
  | 'redisUrl'
  | 'redisSentinelPassword'
  | 'redisCaFile'
  | 'natsUrl'
  | 'kafkaUrl'
  | 'rabbitmqUrl'
  | 'smtpUrl'
  | 'smsUrl'
  | 'fcmCredentials'
  | 'fcmUrl'
  | 'vapidPrivateKey'
  | 'vapidSubject'
  | 'elasticsearchUrl'
  | 'elasticsearchApiKey'
  | 'elasticsearchCaFile'
>;

/** The sockets of one term, or of one dry run. Each is opened when it is first needed, and all are cut at the end. */
export class TermConnections {
  readonly senders: HttpSenders;
  /** These are null where no server is configured. */
  readonly mailer: Mailer | null;
  readonly redis: RedisServer | null;
  readonly nats: NatsServer | null;
  readonly kafka: KafkaServer | null;
  readonly rabbitmq: RabbitServer | null;
  readonly search: SearchConnection;

  constructor(
    readonly settings: ConnectionSettings,
    clock: Clock = new SystemClock(),
  ) {
    this.senders = new HttpSenders(clock);
    const { smtpUrl, natsUrl, kafkaUrl, rabbitmqUrl } = settings;
    const redis = redisTarget(settings);
    this.mailer = smtpUrl === null ? null : new Mailer(smtpUrl);
    this.redis = redis === null ? null : new RedisServer(redis);
    this.nats = natsUrl === null ? null : new NatsServer(natsUrl);
    this.kafka = kafkaUrl === null ? null : new KafkaServer(kafkaUrl);
    this.rabbitmq = rabbitmqUrl === null ? null : new RabbitServer(rabbitmqUrl);
    this.search = new SearchConnection(settings);
  }

  /** What is under way ends as interrupted. */
  async close(): Promise<void> {
    this.redis?.close();
    this.kafka?.close();
    this.rabbitmq?.close();
    await Promise.all([this.mailer?.close(), this.nats?.close(), this.search.close(), this.senders.close()]);
  }
}
