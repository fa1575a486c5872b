import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchOnce } from './maven';
import { isOnPath, type ForeignServer } from './missing-server';
import { isRunning, launch, type Running } from './program';
import { eventually, until } from './until';

const VERSION = '8.19.2';
// The ordinary server with few modules, as Elastic publishes it for integration tests. Its licence forbids having it in the repository.
const ARTIFACT = `org.elasticsearch.distribution.integ-test-zip:elasticsearch:${VERSION}:zip`;
/** Unpacked once per machine and user; several servers run from one copy. Maven keeps the archive besides. */
const DISTRIBUTION = join(tmpdir(), `observers-elasticsearch-${VERSION}-${process.getuid?.() ?? 'user'}`);
const READY_TIMEOUT = 120_000;

export const ELASTICSEARCH: ForeignServer = {
  name: 'Elasticsearch',
  missing() {
    if (javaHome() === null) return 'a JDK of version 17 or later (openjdk-17-jdk-headless)';
    return existsSync(DISTRIBUTION) || isOnPath('mvn') ? null : 'maven';
  },
};

const PASSWORD = 'CANARY-elastic';

/** A server of a test's own, with one node, that asks for a user. */
export interface TestElasticsearch {
  readonly port: number;
  /** With the user who may do anything; the same after a restart. */
  readonly url: string;
  /** With one who may only read. */
  readonly readerUrl: string;
  /** @returns the answer, parsed and as it came: its numbers may be longer than a double */
  request(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly body: Record<string, unknown>; readonly text: string }>;
  /** `kill -9` of the server itself; resolves when it is gone. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

export async function startElasticsearch(): Promise<TestElasticsearch> {
  await fetchDistribution();
  const folder = mkdtempSync(join(tmpdir(), 'observers-elasticsearch-'));
  writeConfiguration(folder);
  let node = await startNode(folder, 0);
  const { port } = node;
  // The launcher's child.
  const pid = (): number => Number(readFileSync(join(folder, 'pid'), 'utf8'));
  return {
    port,
    url: `http://admin:${PASSWORD}@127.0.0.1:${port}`,
    readerUrl: `http://reader:${PASSWORD}@127.0.0.1:${port}`,
    async request(method, path, body) {
      const headers = { ...AUTHORIZATION, 'content-type': 'application/json' };
      const content = body === undefined ? {} : { body: JSON.stringify(body) };
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers, ...content });
      const text = await response.text();
      return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>, text };
    },
    async kill() {
      process.kill(pid(), 'SIGKILL');
      await node.running.ended;
    },
    async restart() {
      node = await startNode(folder, port);
    },
    async stop() {
      const server = pid();
      await node.running.end('SIGTERM');
      await until(() => !isRunning(server));
      rmSync(folder, { recursive: true });
    },
  };
}

/** The home of the JDK that runs it, or null. */
function javaHome(): string | null {
  const found = spawnSync('java', ['-XshowSettings:properties', '-version'], { encoding: 'utf8' });
  const property = (name: string): string => new RegExp(`^ *${name} = (.*)$`, 'm').exec(found.stderr ?? '')?.[1] ?? '';
  return Number(property('java.specification.version')) >= 17 ? property('java.home') : null;
}

function fetchDistribution(): Promise<void> {
  return fetchOnce(ARTIFACT, DISTRIBUTION, (folder) => ({
    args: ['dependency:unpack', `-Dartifact=${ARTIFACT}`, `-DoutputDirectory=${join(folder, 'unpacked')}`],
    result: join('unpacked', `elasticsearch-${VERSION}`),
  }));
}

const CONFIGURATION = (folder: string): string => `
discovery.type: single-node
network.host: 127.0.0.1
transport.port: 0
node.portsfile: true
path.data: ${join(folder, 'data')}
path.logs: ${join(folder, 'logs')}
cluster.routing.allocation.disk.threshold_enabled: false
xpack.security.enabled: true
xpack.security.autoconfiguration.enabled: false
`;

const AUTHORIZATION = { authorization: `Basic ${Buffer.from(`admin:${PASSWORD}`).toString('base64')}` };

const LOGGING = `
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%p] %c{1.} %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
`;

function writeConfiguration(folder: string): void {
  for (const name of ['conf', 'data', 'logs', 'tmp']) mkdirSync(join(folder, name));
  const files = {
    'elasticsearch.yml': CONFIGURATION(folder),
    // Every module may read the folder for temporary files, and none the distribution: both lie in /tmp otherwise, and it does not start.
    'jvm.options': `-XX:+UseSerialGC\n-XX:TieredStopAtLevel=1\n-Djava.io.tmpdir=${join(folder, 'tmp')}`,
    'log4j2.properties': LOGGING,
    // A password that has not the form of any hash is compared as it is.
    users: `admin:${PASSWORD}\nreader:${PASSWORD}`,
    users_roles: 'superuser:admin\nreader:reader',
    'roles.yml': 'reader: { indices: [{ names: ["*"], privileges: [read] }] }',
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, 'conf', name), `${content}\n`);
}

async function startNode(folder: string, port: number): Promise<{ readonly running: Running; readonly port: number }> {
  const ports = join(folder, 'logs', 'http.ports');
  rmSync(ports, { force: true });
  const env = {
    PATH: process.env['PATH'],
    ES_JAVA_HOME: javaHome() ?? '',
    ES_PATH_CONF: join(folder, 'conf'),
    ES_TMPDIR: join(folder, 'tmp'),
    ES_JAVA_OPTS: '-Xms512m -Xmx512m -XX:-AlwaysPreTouch',
  };
  const [command = '', ...args] = [
    ...unprivileged(folder),
    join(DISTRIBUTION, 'bin', 'elasticsearch'),
    ...['--pidfile', join(folder, 'pid'), `-Ehttp.port=${port}`],
  ];
  const running = launch(command, args, { cwd: folder, env });
  const ready = async (): Promise<number> => {
    if (running.child.exitCode !== null) throw new Error(`Elasticsearch ended with ${running.child.exitCode}:\n${running.output()}`);
    if (!existsSync(ports)) return 0;
    const bound = Number(/:(\d+)$/m.exec(readFileSync(ports, 'utf8'))?.[1]);
    const path = '/_cluster/health?wait_for_status=yellow&timeout=1s';
    const health = await fetch(`http://127.0.0.1:${bound}${path}`, { headers: AUTHORIZATION }).catch(() => null);
    return health?.ok === true ? bound : 0;
  };
  return { running, port: await eventually(ready, (bound) => bound > 0, READY_TIMEOUT) };
}

/** It refuses to run as root; and it ends when the test runner dies, which must be its starter's main thread. */
function unprivileged(folder: string): string[] {
  const bound = isOnPath('setpriv') ? ['setpriv', '--pdeathsig', 'TERM'] : [];
  if (process.getuid?.() !== 0) return bound;
  const mapped = ['--user', '--map-user=1000', '--map-group=1000'];
  if (spawnSync('unshare', [...mapped, 'true']).status === 0) return ['unshare', ...mapped, ...bound];
  spawnSync('chown', ['-R', '1000:1000', folder]);
  return [...bound, '--reuid=1000', '--regid=1000', '--clear-groups'];
}
