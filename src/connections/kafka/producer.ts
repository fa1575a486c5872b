import { API, API_ERROR } from 'kafka-ts';
import { murmur2, toPositive } from 'kafka-ts/dist/utils/murmur2';
import { counted } from '../../event/counted';
import { within } from '../../event/timing';
import type { KafkaMessage } from './message';
import { KafkaCluster, type KafkaTopic } from './cluster';
import { codeOf, KafkaTimeout } from './outcomes';
import { PartitionWriter } from './partition-writer';

/** Milliseconds until a topic that is not there is looked for once more: a broker that makes topics by itself says so of the first look. */
const SECOND_LOOK = 500;

/** Sends messages to the partitions of their keys, as Kafka's own clients choose them. */
export class KafkaProducer {
  private readonly cluster: KafkaCluster;
  private readonly writers = new Map<string, PartitionWriter>();

  constructor(url: string) {
    this.cluster = new KafkaCluster(url);
  }

  /** Resolves when it is acknowledged. @param until when its time is over, of the monotonic clock */
  async send(message: KafkaMessage, until: number): Promise<void> {
    const { leaders } = await this.topic(message.topic, until);
    const partition = toPositive(murmur2(Buffer.from(message.key))) % Math.max(1, leaders.length);
    const name = `${message.topic}/${partition}`;
    const writer = this.writers.get(name) ?? new PartitionWriter(this.cluster, message.topic, partition);
    this.writers.set(name, writer);
    await writer.write(message, until);
  }

  close(): void {
    this.cluster.close();
    for (const writer of this.writers.values()) writer.close();
  }

  private topic(name: string, until: number): Promise<KafkaTopic> {
    const late = (): never => {
      // Whoever hangs is asked no more.
      this.cluster.drop(null);
      this.cluster.forget(name);
      throw new KafkaTimeout();
    };
    return within(this.find(name), Math.max(1, until - performance.now()), late);
  }

  private async find(name: string): Promise<KafkaTopic> {
    try {
      return await this.cluster.topic(name);
    } catch (error) {
      if (codeOf(error) !== API_ERROR.UNKNOWN_TOPIC_OR_PARTITION && codeOf(error) !== API_ERROR.LEADER_NOT_AVAILABLE) throw error;
      await new Promise((resolve) => setTimeout(resolve, SECOND_LOOK));
      return this.cluster.topic(name);
    }
  }
}

/** Who answers. @param timeout milliseconds */
export async function lookAtKafka(url: string, timeout: number): Promise<string> {
  const cluster = new KafkaCluster(url);
  try {
    const late = (): never => {
      throw new KafkaTimeout();
    };
    const { brokers } = await within(cluster.ask(null, API.METADATA, { topics: [] }), timeout, late);
    return `Kafka answers, ${counted(brokers.length, 'broker')}`;
  } finally {
    cluster.close();
  }
}
