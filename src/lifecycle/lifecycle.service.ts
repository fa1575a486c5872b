import { Injectable } from '@nestjs/common';
import { ServiceConfiguration } from '../config/service-configuration';
import { RedisClients } from '../connections/redis/redis-clients';
import { InstanceAddress } from '../ha/heartbeat';
import { Streams } from '../ha/streams.service';
import { FileWatch } from '../reload/file-watch';
import { Reloader } from '../reload/reloader';

/**
 * The ordered list of what runs in a container that stands: its probes answer already, and nothing is read yet.
 *
 *   Redis → streams → file watch; and back: file watch → a reload under way → streams, each with its drain, its last commit and its lease → Redis
 */
@Injectable()
export class LifecycleService {
  constructor(
    readonly streams: Streams,
    readonly reloader: Reloader,
    private readonly watch: FileWatch,
    private readonly address: InstanceAddress,
    private readonly configuration: ServiceConfiguration,
    private readonly redis: RedisClients,
  ) {}

  /** @param address where the probes answer, `host:port` @param onFatal called when the service cannot go on without a person */
  async start(address: string, onFatal: (error: unknown) => void): Promise<void> {
    this.address.value = address;
    this.address.url = this.configuration.settings.advertiseUrl ?? `http://${address}`;
    await this.redis.open();
    await this.streams.start(onFatal);
    if (this.configuration.settings.watch) this.watch.start();
  }

  async stop(): Promise<void> {
    await this.watch.stop();
    await this.reloader.settle();
    await this.streams.stop();
    await this.redis.close();
  }
}
