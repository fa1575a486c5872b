import { API, API_ERROR } from 'kafka-ts';
import { Pause, within } from '../../event/timing';
import type { ProduceRequest } from 'kafka-ts/dist/api/produce/common';
import type { KafkaMessage } from './message';
import type { KafkaCluster } from './cluster';
import { codeOf, isLostProducer, isPassing, isRefusal, KafkaDropped, KafkaTimeout } from './outcomes';

/** A batch has so many messages at the most, and so many bytes: half of what a broker takes by default. */
const LARGEST = { messages: 200, bytes: 512 * 1024 };
/** Milliseconds until the same batch is sent again. */
const AGAIN = 100;

interface Waiting {
  readonly message: KafkaMessage;
  readonly until: number;
  /** A batch that it was in was refused: which of them is to blame shows when each goes by itself. */
  readonly alone: boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** By these two a broker knows what it has stored already. */
interface Identity {
  readonly id: bigint;
  readonly epoch: number;
}

type Batch = ProduceRequest['topicData'][number]['partitionData'][number];

/** What has become of a batch so far. */
interface Course {
  /** Its time is over: whatever comes now, comes too late. */
  over: boolean;
  /** It may have been stored. */
  sent: boolean;
  failure: Error | null;
  /** The broker that was asked last. */
  leader: number | null;
}

/**
 * The messages of one partition: one batch at a time, and what gathers meanwhile is the next. A batch is stored whole or not at all. It is
 * sent again with the same sequence number, so that it is stored once though its acknowledgement was lost; when it is given up, nobody
 * knows whether it was stored, and the numbers begin anew under another identity: a later batch with the same number would be taken for
 * it, acknowledged, and lost.
 */
export class PartitionWriter {
  private waiting: Waiting[] = [];
  private writes = false;
  private closed = false;
  private identity: Identity | null = null;
  private sequence = 0;

  constructor(
    private readonly cluster: KafkaCluster,
    private readonly topic: string,
    private readonly partition: number,
  ) {}

  /** Resolves when the broker has acknowledged it. @param until when its time is over, of the monotonic clock */
  write(message: KafkaMessage, until: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ message, until, alone: false, resolve, reject });
      if (!this.writes) void this.run();
    });
  }

  /** Whatever waits ends with it. */
  close(): void {
    this.closed = true;
    for (const { reject } of this.waiting.splice(0)) reject(new KafkaDropped('the connections to Kafka are closed'));
  }

  private async run(): Promise<void> {
    this.writes = true;
    for (let batch = this.next(); batch.length > 0; batch = this.next()) await this.settle(batch);
    this.writes = false;
  }

  private next(): Waiting[] {
    let bytes = 0;
    const end = this.waiting.findIndex(({ message, alone }, i) => {
      bytes += Buffer.byteLength(message.body);
      return i > 0 && (alone || this.waiting[0]?.alone === true || bytes > LARGEST.bytes || i === LARGEST.messages);
    });
    return this.waiting.splice(0, end === -1 ? this.waiting.length : end);
  }

  private async settle(batch: Waiting[]): Promise<void> {
    try {
      await this.deliver(batch);
      for (const { resolve } of batch) resolve();
    } catch (thrown) {
      const error = thrown as Error;
      if (isRefusal(error) && batch.length > 1) {
        this.waiting.unshift(...batch.map((one) => ({ ...one, alone: true })));
        return;
      }
      if (!isRefusal(error)) this.identity = null;
      const now = performance.now();
      const dropped = new KafkaDropped('Kafka did not acknowledge what was sent with it, and the connection was dropped');
      for (const { reject, until } of batch) reject(error instanceof KafkaTimeout && until > now + AGAIN ? dropped : error);
    }
  }

  /** Until it is acknowledged, or the time of its first message is over. */
  private async deliver(batch: readonly Waiting[]): Promise<void> {
    const until = Math.min(...batch.map((one) => one.until));
    const course: Course = { over: false, sent: false, failure: null, leader: null };
    const late = (): never => {
      course.over = true;
      // Its answer would come when nobody waits for it.
      if (course.leader !== null) this.cluster.drop(course.leader);
      throw course.failure ?? new KafkaTimeout();
    };
    await within(this.again(batch, until, course), Math.max(1, until - performance.now()), late);
  }

  private async again(batch: readonly Waiting[], until: number, course: Course): Promise<void> {
    for (;;) {
      try {
        await this.produce(batch, until, course);
        return;
      } catch (error) {
        // Stored by the try before, whose acknowledgement was lost.
        if (codeOf(error) === API_ERROR.DUPLICATE_SEQUENCE_NUMBER) {
          this.count(batch);
          return;
        }
        // It may have been stored by the try before, under a number that must not be given to another batch.
        if (isRefusal(error) && course.failure !== null) this.identity = null;
        if (this.closed || course.over || !isPassing(error)) throw error;
        // Nobody can have stored what was never sent: why it could not be is told at once.
        if (codeOf(error) === null && !course.sent) throw error;
        course.failure = error as Error;
        if (isLostProducer(error)) this.identity = null;
        this.cluster.forget(this.topic);
      }
      await new Pause().for(AGAIN);
      if (course.over) return;
    }
  }

  private async produce(batch: readonly Waiting[], until: number, course: Course): Promise<void> {
    const { id: topicId, leaders } = await this.cluster.topic(this.topic);
    const leader = leaders[this.partition] ?? -1;
    const identity = this.identity ?? (await this.newIdentity());
    // The next batch may have an identity of its own by now.
    if (course.over) return;
    if (this.identity === null) this.sequence = 0;
    this.identity = identity;
    course.leader = leader;
    const timeoutMs = Math.max(1, Math.round(until - performance.now()));
    const partitionData = [
      this.batchOf(
        batch.map(({ message }) => message),
        identity,
      ),
    ];
    const request = { transactionalId: null, acks: -1, timeoutMs, topicData: [{ name: this.topic, topicId, partitionData }] };
    await this.cluster.ask(leader, API.PRODUCE, request, () => (course.sent = true));
    if (!course.over) this.count(batch);
  }

  private count({ length }: readonly Waiting[]): void {
    // Numbers of 31 bits, which begin anew.
    this.sequence = (this.sequence + length) % 0x80000000;
  }

  private async newIdentity(): Promise<Identity> {
    const asked = { transactionalId: null, transactionTimeoutMs: 0, producerId: -1n, producerEpoch: -1 };
    const { producerId: id, producerEpoch: epoch } = await this.cluster.ask(null, API.INIT_PRODUCER_ID, asked);
    return { id, epoch };
  }

  private batchOf(messages: readonly KafkaMessage[], { id, epoch }: Identity): Batch {
    const now = BigInt(Date.now());
    return {
      index: this.partition,
      baseOffset: 0n,
      partitionLeaderEpoch: -1,
      attributes: 0,
      lastOffsetDelta: messages.length - 1,
      baseTimestamp: now,
      maxTimestamp: now,
      producerId: id,
      producerEpoch: epoch,
      baseSequence: this.sequence,
      records: messages.map(({ key, body, headers }, offsetDelta) => ({
        attributes: 0,
        timestampDelta: 0n,
        offsetDelta,
        key,
        value: body,
        headers: headers.map(([name, value]) => ({ key: name, value })),
      })),
    };
  }
}
