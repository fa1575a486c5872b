import { decoded, hostOf, type HostAndPort } from './url-parts';

/** Where a Redis is: one server, nodes of a cluster, or the sentinels that know the master. */
export interface RedisAddress {
  readonly by: 'server' | 'sentinel';
  /** Several of a server's are nodes of one cluster. */
  readonly hosts: readonly HostAndPort[];
  /** The name that sentinels know it by; null without them. */
  readonly master: string | null;
  readonly username: string | null;
  readonly password: string | null;
  readonly database: number;
  readonly tls: boolean;
}

export const REDIS_EXPECTED =
  'redis://user:password@host:6379/0 (rediss:// with TLS, nodes of a cluster with commas between), or redis-sentinel://user:password@host:26379,host:26379/0#MASTER (rediss-sentinel:// with TLS)';

/** A password may hold `@` and `:`: the last `@` before the path ends it. */
const URL_PARTS = /^redis(s?)(-sentinel)?:\/\/([^/?#]*@)?([^@/?#]+)(?:\/(\d*))?(?:#(.+))?$/;

/** @returns null when the text is no such address */
export function redisAddress(text: string): RedisAddress | null {
  const [, secure, sentinel, login = '', hosts = '', database = '', master] = URL_PARTS.exec(text) ?? [];
  if (secure === undefined || (sentinel === undefined) !== (master === undefined)) return null;
  const found = hosts.split(',').map((host) => hostOf(host.trim(), sentinel === undefined ? 6379 : 26379));
  const user = loginOf(login.slice(0, -1));
  const name = master === undefined ? null : decoded(master);
  if (user === null || found.includes(null) || (master !== undefined && name === null)) return null;
  const shared = { hosts: found.filter((host) => host !== null), master: name, database: Number(database), tls: secure === 's' };
  return { by: sentinel === undefined ? 'server' : 'sentinel', ...shared, ...user };
}

/** As it may be shown. */
export function shownRedis(text: string): string {
  return text.replace(/^([\w-]+:\/\/[^:@/?#]*):[^/?#]*@/, '$1:***@');
}

function loginOf(text: string): Pick<RedisAddress, 'username' | 'password'> | null {
  const colon = text.indexOf(':');
  const username = decoded(colon === -1 ? text : text.slice(0, colon));
  const password = decoded(colon === -1 ? '' : text.slice(colon + 1));
  if (username === null || password === null) return null;
  return { username: username === '' ? null : username, password: password === '' ? null : password };
}
