import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, SpawnedServer } from './spawned-server';

export interface TestPooler {
  /** The same database and user, through the pooler. */
  through(url: string): string;
  close(): Promise<void>;
}

/** A real PgBouncer in transaction mode: each transaction may get another session. @param urls of the users that come through it */
export async function startPgBouncer(urls: readonly string[]): Promise<TestPooler> {
  const port = await freePort();
  // It does not run as root.
  const asNobody = process.getuid?.() === 0 ? ['--reuid', '65534', '--regid', '65534', '--clear-groups'] : [];
  const server = new SpawnedServer(
    'setpriv',
    (folder) => [...asNobody, '--pdeathsig', 'KILL', 'pgbouncer', join(folder, 'pgbouncer.ini')],
    /process up/,
  );
  chmodSync(server.folder, 0o755);
  const parsed = urls.map((url) => new URL(url));
  const [{ hostname, port: serverPort } = new URL('postgres://127.0.0.1')] = parsed;
  const users = parsed.map(({ username, password }) => `"${username}" "${password}"`);
  writeFileSync(join(server.folder, 'users.txt'), `${users.join('\n')}\n`);
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'trust',
    auth_file: join(server.folder, 'users.txt'),
    pool_mode: 'transaction',
    default_pool_size: 20,
    max_client_conn: 200,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  writeFileSync(
    join(server.folder, 'pgbouncer.ini'),
    `[databases]\n* = host=${hostname} port=${serverPort}\n[pgbouncer]\n${lines.join('\n')}\n`,
  );
  await server.start();
  const through = (url: string): string => {
    const changed = new URL(url);
    changed.port = String(port);
    return changed.toString();
  };
  return { through, close: () => server.remove() };
}
