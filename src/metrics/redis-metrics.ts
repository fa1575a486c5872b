import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Registry } from 'prom-client';
import { RedisClients } from '../connections/redis/redis-clients';

/** How Redis is for what uses it beside the actions. Without such a use there are no series. */
@Injectable()
export class RedisMetrics {
  constructor(registry: Registry, clients: RedisClients) {
    const registers = [registry];
    new Gauge({
      name: 'observer_redis_up',
      help: '1 when Redis answered the last call of this use (dedup, cache).',
      labelNames: ['use'],
      registers,
      collect() {
        for (const { use, up } of clients.states) this.set({ use }, up ? 1 : 0);
      },
    });
    new Counter({
      name: 'observer_redis_unanswered_total',
      help: 'Calls that Redis did not answer in time, or refused; what needed them went on without.',
      labelNames: ['use'],
      registers,
      collect() {
        this.reset();
        for (const { use, unanswered } of clients.states) this.inc({ use }, unanswered);
      },
    });
  }
}
