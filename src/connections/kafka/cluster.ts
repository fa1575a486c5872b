import { API, KafkaTSApiError, saslPlain, saslScramSha256, saslScramSha512, type SASLProvider } from 'kafka-ts';
import { Broker } from 'kafka-ts/dist/broker';
import type { Api } from 'kafka-ts/dist/utils/api';
import type { MetadataResponse } from 'kafka-ts/dist/api/metadata/common';
import { kafkaAddress, type KafkaAddress } from '../../config/kafka-address';
import { KafkaDropped, KafkaHangsUp } from './outcomes';

/** Which broker leads each partition, by the partition's number. */
export interface KafkaTopic {
  readonly id: string;
  readonly leaders: readonly number[];
}

/** Any broker of KAFKA_URL, for questions that each can answer. */
const ANY = -1;
/** Milliseconds after which it is asked again who leads what: partitions may have been added, and a key belongs to another one then. */
const FRESH = 300_000;
/** Of a request, which our own deadlines end before. */
const LONGEST = 3_600_000;
const DIAL = 10_000;

/** Connections to the brokers of one cluster, each made when it is first needed. Nothing is tried again here. */
export class KafkaCluster {
  private readonly address: KafkaAddress;
  private readonly brokers = new Map<number, Promise<Broker>>();
  private readonly hosts = new Map<number, { readonly host: string; readonly port: number }>();
  private readonly topics = new Map<string, { readonly asked: number; readonly answer: Promise<KafkaTopic> }>();
  /** Everything that was dialled, to be cut. */
  private readonly open = new Set<Broker>();
  private closed = false;

  /** @throws when the URL is none, which the settings do not let through */
  constructor(url: string) {
    const address = kafkaAddress(url);
    if (address === null) throw new Error('KAFKA_URL got past the check of the settings');
    this.address = address;
  }

  /** One look for all that ask at once. */
  topic(name: string): Promise<KafkaTopic> {
    const known = this.topics.get(name);
    if (known !== undefined && performance.now() - known.asked < FRESH) return known.answer;
    const look = { asked: performance.now(), answer: this.look(name) };
    this.topics.set(name, look);
    look.answer.catch(() => {
      if (this.topics.get(name) === look) this.topics.delete(name);
    });
    return look.answer;
  }

  forget(name: string): void {
    this.topics.delete(name);
  }

  /** @param node null: any broker @param onSent called when nobody can know any more whether it has arrived */
  async ask<Request, Response>(
    node: number | null,
    api: Api<Request, Response>,
    request: Request,
    onSent: () => void = () => undefined,
  ): Promise<Response> {
    const broker = await this.broker(node ?? ANY);
    onSent();
    try {
      return await broker.sendRequest(api, request);
    } catch (error) {
      if (!(error instanceof KafkaTSApiError)) this.drop(node ?? ANY);
      throw error;
    }
  }

  /** What it was asked and has not answered is lost. @param node null: the one for any question */
  drop(node: number | null): void {
    const dialled = this.brokers.get(node ?? ANY);
    this.brokers.delete(node ?? ANY);
    dialled?.then((broker) => this.cut(broker)).catch(() => undefined);
  }

  close(): void {
    this.closed = true;
    for (const broker of this.open) this.cut(broker);
  }

  private async look(name: string): Promise<KafkaTopic> {
    const answer = await this.ask(null, API.METADATA, { topics: [{ id: null, name }], allowTopicAutoCreation: true }).catch(usable);
    for (const { nodeId, host, port } of answer.brokers) this.hosts.set(nodeId, { host, port });
    const [topic] = answer.topics;
    const partitions = (topic?.partitions ?? []).toSorted((a, b) => a.partitionIndex - b.partitionIndex);
    return { id: topic?.topicId ?? '', leaders: partitions.map(({ leaderId }) => leaderId) };
  }

  private broker(node: number): Promise<Broker> {
    const known = this.brokers.get(node);
    if (known !== undefined) return known;
    const dialled = node === ANY ? this.dialAny() : this.dialNode(node);
    this.brokers.set(node, dialled);
    dialled.catch(() => {
      if (this.brokers.get(node) === dialled) this.brokers.delete(node);
    });
    return dialled;
  }

  /** All at once, for one may hang; the first that answers stays. */
  private async dialAny(): Promise<Broker> {
    const all = this.address.brokers.map((host) => this.dial(host));
    try {
      const first = await Promise.any(all);
      for (const one of all) one.then((broker) => { if (broker !== first) this.cut(broker); }).catch(() => undefined); // prettier-ignore
      return first;
    } catch (error) {
      const errors = (error as AggregateError).errors as Error[];
      // Of several reasons that of a broker which answered tells most.
      throw errors.find((one) => one instanceof KafkaTSApiError) ?? errors[0] ?? error;
    }
  }

  private dialNode(node: number): Promise<Broker> {
    const host = this.hosts.get(node);
    return host === undefined ? Promise.reject(new KafkaDropped(`Kafka has no broker ${node} just now`)) : this.dial(host);
  }

  private async dial(options: { readonly host: string; readonly port: number }): Promise<Broker> {
    if (this.closed) throw new KafkaDropped('the connections to Kafka are closed');
    const sasl = saslOf(this.address);
    const broker = new Broker({ clientId: 'fraiseql-observers', options, sasl, ssl: this.address.tls ? {} : null, requestTimeout: LONGEST, connectTimeout: DIAL }); // prettier-ignore
    this.open.add(broker);
    try {
      await broker.connect();
      if (this.address.login === null) await this.greet(broker);
    } catch (error) {
      this.cut(broker);
      throw error;
    }
    return broker;
  }

  /** A broker that wants a user, or TLS, tells nobody who comes without. */
  private async greet(broker: Broker): Promise<void> {
    try {
      await broker.sendRequest(API.METADATA, { topics: [] });
    } catch (error) {
      if (error instanceof KafkaTSApiError) throw error;
      throw new KafkaHangsUp('Kafka closes the connection; perhaps it wants a user and a password in KAFKA_URL, or TLS (kafka+ssl://)');
    }
  }

  private cut(broker: Broker): void {
    this.open.delete(broker);
    void broker.disconnect().catch(() => undefined);
  }
}

/** Partitions without a leader make the client throw, and the others can be written to. */
function usable(error: unknown): MetadataResponse {
  if (error instanceof KafkaTSApiError) {
    const answer = error.response as MetadataResponse | undefined;
    if (answer?.errorCode === 0 && answer.topics.every(({ errorCode }) => errorCode === 0)) return answer;
  }
  throw error;
}

function saslOf({ login }: KafkaAddress): SASLProvider | null {
  if (login === null) return null;
  const { mechanism, username, password } = login;
  if (mechanism === 'plain') return saslPlain({ username, password });
  // In SCRAM these two have a meaning.
  const escaped = username.replaceAll('=', '=3D').replaceAll(',', '=2C');
  return (mechanism === 'scram-sha-256' ? saslScramSha256 : saslScramSha512)({ username: escaped, password });
}
