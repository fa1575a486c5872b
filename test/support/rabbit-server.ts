import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, realpathSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { connect, type Channel, type GetMessage } from 'amqplib';
import type { Certificate } from './certificate';
import { freePort, SpawnedServer } from './spawned-server';

/** A RabbitMQ of a test's own. `all` may do everything, `few` may write nothing. It takes messages of 64 KiB. */
export interface TestRabbit {
  readonly host: string;
  readonly tls: string;
  /** With the user who may do everything. */
  readonly url: string;
  readonly server: SpawnedServer;
  /** On a channel of its own. */
  manage<T>(work: (channel: Channel) => Promise<T>): Promise<T>;
  /** What a consumer finds in a queue; it is taken out. */
  take(queue: string): Promise<GetMessage[]>;
  close(): Promise<void>;
}

export async function startRabbit(certificate: Certificate | null = null): Promise<TestRabbit> {
  const [port, tls, distribution, mapper] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const variables = (folder: string): Record<string, string> => ({
    HOME: folder,
    ERL_EPMD_PORT: String(mapper),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `observers-${port}@localhost`,
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_MNESIA_BASE: join(folder, 'data'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
    RABBITMQ_LOGS: '-',
    // Its script then makes way for the server, which so gets our signals.
    RUNNING_UNDER_SYSTEMD: '1',
  });
  const server = new SpawnedServer(
    'env',
    (folder) => [...Object.entries(variables(folder)).map((pair) => pair.join('=')), script()],
    /Server startup complete/,
  );
  configure(server.folder, port, certificate === null ? null : { ...certificate, port: tls });
  await server.start();
  const host = `127.0.0.1:${port}`;
  const url = `amqp://all:CANARY-all@${host}`;
  const manage = async <T>(work: (channel: Channel) => Promise<T>): Promise<T> => {
    const connection = await connect(url);
    try {
      return await work(await connection.createChannel());
    } finally {
      await connection.close();
    }
  };
  const take = (queue: string): Promise<GetMessage[]> =>
    manage(async (channel) => {
      const found: GetMessage[] = [];
      for (let one = await channel.get(queue, { noAck: true }); one !== false; one = await channel.get(queue, { noAck: true }))
        found.push(one);
      return found;
    });
  const close = async (): Promise<void> => {
    await server.remove();
    // What it started to find its nodes by outlives it.
    spawnSync('epmd', ['-port', String(mapper), '-kill']);
  };
  return { host, tls: `127.0.0.1:${tls}`, url, server, manage, take, close };
}

/** Debian puts a wrapper before it that changes the user and writes to the machine's own folders. */
function script(): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const found = folders.map((folder) => join(folder, 'rabbitmq-server')).find((file) => existsSync(file));
  if (found === undefined) throw new Error('rabbitmq-server is not installed');
  const real = realpathSync(found);
  const own = join(dirname(real), 'rabbitmq-server');
  return existsSync(own) ? own : real;
}

function configure(folder: string, port: number, tls: (Certificate & { readonly port: number }) | null): void {
  const lines = [
    `listeners.tcp.local = 127.0.0.1:${port}`,
    `load_definitions = ${join(folder, 'definitions.json')}`,
    'max_message_size = 65536',
    'log.console.level = info',
  ];
  if (tls !== null) {
    writeFileSync(join(folder, 'cert.pem'), tls.cert);
    writeFileSync(join(folder, 'key.pem'), tls.key);
    lines.push(`listeners.ssl.local = 127.0.0.1:${tls.port}`, `ssl_options.certfile = ${join(folder, 'cert.pem')}`, `ssl_options.keyfile = ${join(folder, 'key.pem')}`); // prettier-ignore
  }
  writeFileSync(join(folder, 'rabbitmq.conf'), `${lines.join('\n')}\n`);
  writeFileSync(join(folder, 'plugins'), '[].\n');
  const permission = (user: string, write: string): object => ({ user, vhost: '/', configure: write, write, read: '.*' });
  writeFileSync(
    join(folder, 'definitions.json'),
    JSON.stringify({
      users: ['all', 'few'].map((name) => ({ name, password_hash: hashOf(`CANARY-${name}`), hashing_algorithm: 'rabbit_password_hashing_sha256', tags: '' })), // prettier-ignore
      vhosts: [{ name: '/' }],
      permissions: [permission('all', '.*'), permission('few', '^$')],
    }),
  );
}

/** As the server keeps passwords. */
function hashOf(password: string): string {
  const salt = randomBytes(4);
  return Buffer.concat([salt, createHash('sha256').update(salt).update(password).digest()]).toString('base64');
}
