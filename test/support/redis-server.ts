import { Cluster, Redis } from 'ioredis';
import { freePort, SpawnedServer } from './spawned-server';

export interface TestRedis {
  readonly url: string;
  readonly port: number;
  readonly server: SpawnedServer;
  /** Sees what the actions did. */
  readonly client: Redis;
  close(): Promise<void>;
}

/** A real Redis on a port of its own, which keeps nothing. */
export async function startRedis(args: readonly string[] = []): Promise<TestRedis> {
  const port = await freePort();
  const server = new SpawnedServer(
    'redis-server',
    (folder) => ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder, ...args],
    /Ready to accept connections/,
  );
  await server.start();
  const url = `redis://127.0.0.1:${port}`;
  const client = new Redis(url, { lazyConnect: true });
  return {
    url,
    port,
    server,
    client,
    close: async () => {
      client.disconnect();
      await server.remove();
    },
  };
}

/** @param bus port of its own: by default it is 10,000 more than the other one, which may be none @param timeout milliseconds until a node is taken for dead */
export function clusterNode(bus: number, timeout: number): string[] {
  return ['--cluster-enabled', 'yes', '--cluster-port', String(bus), '--cluster-node-timeout', String(timeout)];
}

/** Two masters that share the slots. */
export async function startRedisCluster(): Promise<{ url: string; cluster: Cluster; nodes: readonly TestRedis[]; close(): Promise<void> }> {
  const buses = [await freePort(), await freePort()];
  const nodes = await Promise.all(buses.map((bus) => startRedis(clusterNode(bus, 2_000))));
  const [first, second] = nodes as [TestRedis, TestRedis];
  await first.client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '8191');
  await second.client.call('CLUSTER', 'ADDSLOTSRANGE', '8192', '16383');
  await first.client.call('CLUSTER', 'MEET', '127.0.0.1', String(second.port), String(buses[1]));
  for (const { client } of nodes)
    while (!/cluster_state:ok/.test(await client.cluster('INFO'))) await new Promise((again) => setTimeout(again, 20));
  const cluster = new Cluster([first.url]);
  await Promise.all(
    nodes.map(async ({ client }) => {
      while (!/cluster_known_nodes:2/.test(await client.cluster('INFO'))) await new Promise((again) => setTimeout(again, 20));
    }),
  );
  return {
    url: first.url,
    cluster,
    nodes,
    close: async () => {
      cluster.disconnect();
      for (const node of nodes) await node.close();
    },
  };
}
