import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clusterNode, startRedis, type TestRedis } from './redis-server';
import { freePort, SpawnedServer } from './spawned-server';
import { until } from './until';

export interface Fleet {
  readonly url: string;
  /** Until the replica has what its master has. */
  replicated(): Promise<void>;
  close(): Promise<void>;
}

export interface SentinelFleet extends Fleet {
  readonly sentinels: readonly SpawnedServer[];
  readonly servers: readonly TestRedis[];
}

async function untilReplicated(master: TestRedis, replica: TestRedis): Promise<void> {
  const offset = async ({ client }: TestRedis, name: string): Promise<number> =>
    Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await client.info('replication'))?.[1] ?? 0);
  const wanted = await offset(master, 'master_repl_offset');
  await until(async () => (await offset(replica, 'slave_repl_offset')) >= wanted);
}

/** A master, its replica, and three sentinels. */
export async function startSentinels(): Promise<SentinelFleet> {
  const master = await startRedis();
  const replica = await startRedis(['--replicaof', '127.0.0.1', String(master.port)]);
  const servers = [master, replica];
  await until(async () => (await replica.client.info('replication')).includes('master_link_status:up'));
  const ports = [await freePort(), await freePort(), await freePort()];
  const sentinels = await Promise.all(ports.map((port) => startSentinel(port, master.port)));
  for (const port of ports) await untilKnown(port);
  return {
    url: `redis-sentinel://${ports.map((port) => `127.0.0.1:${port}`).join(',')}/0#shop`,
    sentinels,
    servers,
    replicated: () => untilReplicated(master, replica),
    close: async () => {
      await Promise.all(sentinels.map((sentinel) => sentinel.remove()));
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

async function startSentinel(port: number, master: number): Promise<SpawnedServer> {
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `sentinel monitor shop 127.0.0.1 ${master} 2`,
    'sentinel down-after-milliseconds shop 400',
    'sentinel failover-timeout shop 2000',
  ];
  const args = (folder: string): string[] => {
    const file = join(folder, 'sentinel.conf');
    writeFileSync(file, [...lines, `dir ${folder}`, ''].join('\n'));
    return [file, '--sentinel'];
  };
  const sentinel = new SpawnedServer('redis-server', args, /\+monitor master/);
  await sentinel.start();
  return sentinel;
}

/** Until it knows the other two and the replica. */
async function untilKnown(port: number): Promise<void> {
  const { Redis } = await import('ioredis');
  const client = new Redis({ host: '127.0.0.1', port });
  const count = async (what: string): Promise<number> => ((await client.call('SENTINEL', what, 'shop')) as unknown[]).length;
  try {
    await until(async () => (await count('sentinels')) === 2 && (await count('replicas')) === 1);
  } finally {
    client.disconnect();
  }
}

export interface ClusterFleet extends Fleet {
  /** Of the first third of the slots. */
  pair(): Promise<{ readonly master: TestRedis; readonly replica: TestRedis }>;
  /** The masters of the others. */
  readonly others: readonly TestRedis[];
  /** What is left of the pair. */
  readonly alone: TestRedis;
}

/** Three masters, and a replica of the first. */
export async function startFailoverCluster(): Promise<ClusterFleet> {
  const buses = [await freePort(), await freePort(), await freePort(), await freePort()];
  const nodes = await Promise.all(buses.map((bus) => startRedis([...clusterNode(bus, 1_000), '--cluster-replica-validity-factor', '0'])));
  const [first, second, third, replica] = nodes as [TestRedis, TestRedis, TestRedis, TestRedis];
  const masters = [first, second, third];
  const slots = [[0, 5460], [5461, 10922], [10923, 16383]] as const; // prettier-ignore
  for (const [i, node] of masters.entries()) await node.client.call('CLUSTER', 'ADDSLOTSRANGE', ...slots[i]!);
  for (const [i, node] of nodes.entries()) if (i > 0) await first.client.call('CLUSTER', 'MEET', '127.0.0.1', String(node.port), String(buses[i])); // prettier-ignore
  const everywhere = async (text: string): Promise<boolean> =>
    (await Promise.all(nodes.map(({ client }) => client.cluster('INFO')))).every((info) => info.includes(text));
  await until(() => everywhere('cluster_known_nodes:4'));
  const id = String(await first.client.call('CLUSTER', 'MYID'));
  await until(() => replica.client.call('CLUSTER', 'REPLICATE', id).then(() => true, () => false)); // prettier-ignore
  await until(async () => (await everywhere('cluster_state:ok')) && (await replica.client.info('replication')).includes('master_link_status:up')); // prettier-ignore
  const isMaster = ({ client }: TestRedis): Promise<boolean> => client.info('replication').then((info) => info.includes('role:master'));
  const pair = async (): ReturnType<ClusterFleet['pair']> =>
    (await isMaster(replica)) && !(await isMaster(first)) ? { master: replica, replica: first } : { master: first, replica };
  return {
    url: `redis://${masters.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    others: [second, third],
    pair,
    get alone() {
      return first.server.runs ? first : replica;
    },
    replicated: async () => {
      const now = await pair();
      await untilReplicated(now.master, now.replica);
    },
    close: async () => {
      await Promise.all(nodes.map((node) => node.close()));
    },
  };
}
