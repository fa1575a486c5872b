import { types } from 'node:util';
import { messageOf } from '../../event/errors';
import { connectionFailure } from '../http/network-failure';

/** The server's first word. Another time, or another server of the same group, it may do it. */
export const UNAVAILABLE = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|BUSY|OOM|NOREPLICAS|MISCONF|UNKILLABLE)\b/;
export const NOT_ALLOWED = /^(NOAUTH|WRONGPASS|NOPERM)\b|AUTH .*without any password|invalid password/i;

export interface ExplainedRedisError {
  /** One sentence, without a full stop. */
  readonly message: string;
  readonly remedy: string;
  /** A setting is wrong: waiting does not help. */
  readonly setting: boolean;
}

/** A cluster's own error is that of its last node. */
export function redisErrorOf(error: unknown): Error & { readonly code?: string } {
  const { lastNodeError } = error as { lastNodeError?: unknown };
  if (types.isNativeError(lastNodeError)) return redisErrorOf(lastNodeError);
  // Not instanceof: an error may come from another realm.
  return types.isNativeError(error) ? error : new Error(String(error));
}

/** In the client's words. */
const NOT_CONNECTED = /^(Stream isn't writeable|Cluster isn't ready|Connection is closed|Reached the max retries)/;

const TLS = 'rediss:// (rediss-sentinel://) speaks TLS, redis:// does not; an authority of your own is named by OBSERVERS_REDIS_CA_FILE.';

/** What is wrong, and with which setting. */
export function explainRedis(thrown: unknown): ExplainedRedisError {
  const error = redisErrorOf(thrown);
  const said = NOT_CONNECTED.test(error.message) ? 'the connection is lost' : messageOf(error);
  const is = (message: string, remedy: string, setting: boolean): ExplainedRedisError => ({ message, remedy, setting });
  if (error.name === 'CaFileError') return is(said, 'Name a file with certificates in PEM.', true);
  if (NOT_ALLOWED.test(said))
    return is(
      `Redis does not let the user and password of REDIS_URL do it: ${said}`,
      'Correct user and password, or grant what docs/redis.md lists.',
      true,
    );
  if (said.startsWith('READONLY'))
    return is(
      `REDIS_URL leads to a replica, which takes no writes: ${said}`,
      'Name the master in REDIS_URL, or sentinels that know it.',
      true,
    );
  if (said.startsWith('CLUSTERDOWN') || /Failed to refresh slots cache|None of startup nodes/i.test(said))
    return is(`the Redis cluster has no quorum, or not all slots are served: ${said}`, 'redis-cli --cluster check HOST:PORT', false);
  if (said.startsWith('LOADING')) return is(`Redis is still loading its data: ${said}`, 'Start again when it is through.', false);
  if (/sentinels are unreachable/i.test(said))
    return is(`no sentinel in REDIS_URL names a master that is there: ${said}`, 'Check the hosts and the name behind # in REDIS_URL, and OBSERVERS_REDIS_SENTINEL_PASSWORD.', false); // prettier-ignore
  if (connectionFailure(error.code ?? '') === 'tls' || /SSL|TLS|certificate/i.test(said))
    return is(`no TLS connection to the Redis of REDIS_URL can be made: ${said}`, TLS, true);
  if (error.name === 'ReplyError') return is(`Redis answers: ${said}`, 'See docs/redis.md.', false);
  return is(`the Redis of REDIS_URL cannot be reached: ${said}`, 'Is it running, and are host, port and redis:// or rediss:// in REDIS_URL right?', false); // prettier-ignore
}
