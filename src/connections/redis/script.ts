import { createHash } from 'node:crypto';
import type { RedisConnection } from './dial';

/** A Lua script of one key, so that a cluster knows where it runs. It is called by its digest; a server that does not know it is given the text. */
export class Script {
  private readonly digest: string;

  constructor(private readonly text: string) {
    this.digest = createHash('sha1').update(text).digest('hex');
  }

  async run(redis: RedisConnection, key: string, ...values: readonly string[]): Promise<unknown> {
    try {
      return await redis.evalsha(this.digest, 1, key, ...values);
    } catch (error) {
      // After a fail-over, a restart or SCRIPT FLUSH.
      if (!(error as Error).message.startsWith('NOSCRIPT')) throw error;
      return redis.eval(this.text, 1, key, ...values);
    }
  }
}
