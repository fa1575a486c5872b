import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { API, createKafkaClient } from 'kafka-ts';
import type { Certificate } from './certificate';
import { fetchOnce } from './maven';
import { isOnPath, type ForeignServer } from './missing-server';
import { freePort, SpawnedServer } from './spawned-server';

const VERSION = '4.1.1';
/** What Maven has fetched, once per machine and user. */
const LIBRARIES = join(tmpdir(), `observers-kafka-${VERSION}-${process.getuid?.() ?? 'user'}`);

export const KAFKA: ForeignServer = {
  name: 'Kafka',
  missing() {
    if (!isOnPath('java')) return 'a JDK of version 17 or later (openjdk-17-jdk-headless)';
    return existsSync(LIBRARIES) || isOnPath('mvn') ? null : 'maven';
  },
};

export interface Stored {
  readonly partition: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** A broker of a test's own. Nobody needs a user at `port`; at `users` there are two by SCRAM-SHA-512, and at `tls` is a certificate of its own. */
export interface TestKafka {
  readonly host: string;
  readonly users: string;
  readonly tls: string;
  readonly server: SpawnedServer;
  createTopic(name: string, partitions?: number, configs?: Readonly<Record<string, string>>): Promise<void>;
  deleteTopic(name: string): Promise<void>;
  /** What a consumer reads of a topic from its beginning, as soon as there are so many messages. */
  messages(topic: string, atLeast: number): Promise<Stored[]>;
  close(): Promise<void>;
}

/** @param more lines of its configuration */
export async function startKafka(more = '', certificate: Certificate | null = null): Promise<TestKafka> {
  await fetchLibraries();
  const [plain, controller, users, tls] = [await freePort(), await freePort(), await freePort(), await freePort()];
  // Its garbage collector and compiler for one that lives for seconds.
  const java = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', join(LIBRARIES, '*')];
  const server = new SpawnedServer(
    'java',
    (folder) => [
      ...java,
      `-Dlog4j2.configurationFile=${join(folder, 'log4j2.properties')}`,
      'kafka.Kafka',
      join(folder, 'kafka.properties'),
    ],
    /Kafka Server started/,
  );
  const { folder } = server;
  const listeners = [`PLAINTEXT://127.0.0.1:${plain}`, `CONTROLLER://127.0.0.1:${controller}`, `USERS://127.0.0.1:${users}`];
  if (certificate !== null) listeners.push(`TLS://127.0.0.1:${tls}`);
  writeFileSync(join(folder, 'log4j2.properties'), LOGGING);
  writeFileSync(join(folder, 'kafka.properties'), `${CONFIGURATION(folder, listeners)}${certificate === null ? '' : tlsLines(certificate)}\n${more}\n`); // prettier-ignore
  format([...java, '-Dlog4j2.level=off'], folder);
  await server.start();
  const host = `127.0.0.1:${plain}`;
  const client = createKafkaClient({ clientId: 'test', bootstrapServers: [{ host: '127.0.0.1', port: plain }] });
  return { host, users: `127.0.0.1:${users}`, tls: `127.0.0.1:${tls}`, server, ...tools(client), close: () => server.remove() };
}

function tools(client: ReturnType<typeof createKafkaClient>): Pick<TestKafka, 'createTopic' | 'deleteTopic' | 'messages'> {
  const manage = async (work: (cluster: ReturnType<typeof client.createCluster>) => Promise<unknown>): Promise<void> => {
    const cluster = client.createCluster();
    await cluster.connect();
    try {
      await work(cluster);
    } finally {
      await cluster.disconnect();
    }
  };
  return {
    createTopic: (name, partitions = 1, configs = {}) =>
      manage((cluster) =>
        cluster.sendRequest(API.CREATE_TOPICS, {
          topics: [
            {
              name,
              numPartitions: partitions,
              replicationFactor: 1,
              configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
            },
          ],
        }),
      ),
    deleteTopic: (name) => manage((cluster) => cluster.sendRequest(API.DELETE_TOPICS, { topics: [{ name, topicId: null }] })),
    messages: (topic, atLeast) => consume(client, topic, atLeast),
  };
}

async function consume(client: ReturnType<typeof createKafkaClient>, topic: string, atLeast: number): Promise<Stored[]> {
  const found: Stored[] = [];
  let enough: () => void = () => undefined;
  const all = new Promise<void>((resolve) => (enough = resolve));
  const consumer = await client.startConsumer({
    topics: [topic],
    fromBeginning: true,
    maxWaitMs: 100,
    onBatch: (messages) => {
      found.push(...messages.map(({ partition, key, value, headers }) => ({ partition, key: key ?? null, value, headers })));
      if (found.length >= atLeast) enough();
    },
  });
  await all;
  await consumer.close();
  return found;
}

function format(java: readonly string[], folder: string): void {
  const users = ['all', 'few'].flatMap((name) => ['--add-scram', `SCRAM-SHA-512=[name=${name},password=CANARY-${name}]`]);
  const args = ['kafka.tools.StorageTool', 'format', '-t', 'MkU3OEVBNTcwNTJENDM2Qk', '-c', join(folder, 'kafka.properties'), ...users];
  const { status, stderr, stdout } = spawnSync('java', [...java, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the folder of Kafka could not be prepared: ${stdout}${stderr}`);
}

function fetchLibraries(): Promise<void> {
  return fetchOnce(`Kafka ${VERSION}`, LIBRARIES, (folder) => {
    writeFileSync(join(folder, 'pom.xml'), POM);
    const result = 'libraries';
    return { args: ['dependency:copy-dependencies', `-DoutputDirectory=${join(folder, result)}`], result };
  });
}

const dependency = (group: string, artifact: string, version: string): string =>
  `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;

// The server, and what makes it write its log.
const POM = `<project><modelVersion>4.0.0</modelVersion><groupId>test</groupId><artifactId>kafka</artifactId><version>1</version>
<packaging>pom</packaging><dependencies>
${dependency('org.apache.kafka', 'kafka_2.13', VERSION)}
${dependency('org.apache.logging.log4j', 'log4j-slf4j-impl', '2.24.3')}
</dependencies></project>`;

const LOGGING = `
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%p] %c{1} %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
`;

// One node that is broker and controller. Whoever needs no user may do all; \`few\` may do nothing.
const CONFIGURATION = (folder: string, listeners: readonly string[]): string => `
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@${listeners[1]?.replace('CONTROLLER://', '') ?? ''}
controller.listener.names=CONTROLLER
listeners=${listeners.join(',')}
advertised.listeners=${listeners.filter((one) => !one.startsWith('CONTROLLER')).join(',')}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,USERS:SASL_PLAINTEXT,TLS:SSL
inter.broker.listener.name=PLAINTEXT
listener.name.users.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.users.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:all
log.dirs=${join(folder, 'data')}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
`;

function tlsLines({ cert, key }: Certificate): string {
  const oneLine = (text: string): string => text.trim().replaceAll('\n', '\\n');
  return `
listener.name.tls.ssl.keystore.type=PEM
listener.name.tls.ssl.keystore.certificate.chain=${oneLine(cert)}
listener.name.tls.ssl.keystore.key=${oneLine(key)}
`;
}
