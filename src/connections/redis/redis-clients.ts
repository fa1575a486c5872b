import { Injectable } from '@nestjs/common';
import { ServiceConfiguration } from '../../config/service-configuration';
import type { RedisState, RedisUse } from '../../event/redis-state';
import { ServiceLogger } from '../../event/service-logger';
import { Timers, type EndTimer } from '../../event/timers';
import { redisTarget } from './dial';
import { RedisClient } from './redis-client';

const SETTING = { dedup: 'OBSERVERS_DEDUP_DRIVER', cache: 'OBSERVERS_CACHE_DRIVER' } as const;
/** An idle service notices within so many milliseconds that Redis is away, or back. */
const LOOK_EVERY = 5_000;

/** The clients that drivers have asked for. Nothing is dialled before `open`. */
@Injectable()
export class RedisClients {
  private readonly clients = new Map<RedisUse, RedisClient>();
  private endLooks: EndTimer | null = null;

  constructor(
    private readonly configuration: ServiceConfiguration,
    private readonly logger: ServiceLogger,
    private readonly timers: Timers,
  ) {}

  of(use: RedisUse): RedisClient {
    let client = this.clients.get(use);
    if (client === undefined) {
      const { settings } = this.configuration;
      client = new RedisClient(use, redisTarget(settings), { timeout: settings.redisTimeout, prefix: settings.redisPrefix }, this.logger);
      this.clients.set(use, client);
    }
    return client;
  }

  /** @throws OperatorError when a setting asks for Redis, and it is not there or will not */
  async open(): Promise<void> {
    if (this.clients.size === 0) return;
    for (const client of this.clients.values()) await client.open(SETTING[client.use]);
    this.endLooks = this.timers.every('redis', LOOK_EVERY, () => this.look());
  }

  /** Of each use; none where Redis is not used beside the actions. */
  get states(): RedisState[] {
    return [...this.clients.values()].map(({ state }) => state);
  }

  async close(): Promise<void> {
    await this.endLooks?.();
    for (const client of this.clients.values()) client.close();
  }

  private async look(): Promise<void> {
    await Promise.all([...this.clients.values()].map((client) => client.look()));
  }
}
