import type { Pool, PoolClient } from 'pg';
import type { Logger } from 'pino';
import type { LoadedConfiguration } from '../../config/load';
import { versionText } from '../../config/rules';
import { currentConfiguration } from '../../config/config-version.sql';
import type { ObserverDefinition, ObserversDefinition } from '../../event/definitions';

/** The configuration that the stream is led with, whatever this instance was started with. */
export interface RunningConfiguration {
  /** To look at, and never to deliver by. */
  readonly definition: ObserversDefinition;
  readonly version: number;
  readonly hash: string;
  /** To deliver by. @throws ConfigurationError when this instance cannot load it */
  readonly observers: () => readonly ObserverDefinition[];
}

export interface ApiOptions {
  /** A pool of its own with a limit on statements: whoever asks too much waits behind other questions, and the leader does not. */
  readonly pool: Pool;
  readonly configuration: Pick<LoadedConfiguration, 'observersOf' | 'definitionOf'>;
  /** The version of the file that this instance was started with. */
  readonly configVersion: number;
  readonly stream: string;
  /** Milliseconds for which attempts are kept. */
  readonly retention: number;
  readonly maxEventSize: number;
  readonly logger: Logger;
}

/** What all controllers work with. */
export class ApiContext {
  private last: RunningConfiguration | null = null;

  constructor(readonly options: ApiOptions) {}

  get pool(): Pool {
    return this.options.pool;
  }

  get stream(): string {
    return this.options.stream;
  }

  /** What people did that no table keeps. */
  note(what: string, by: string, fields: Readonly<Record<string, unknown>>): void {
    this.options.logger.info({ by, ...fields }, what);
  }

  /** For what takes more than one statement. */
  async onClient<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    try {
      const result = await work(client);
      client.release();
      return result;
    } catch (error) {
      // Whatever it was, in the middle of a transaction: not for the next one.
      client.release(true);
      throw error;
    }
  }

  /** Before the first leader that of this instance. */
  async running(): Promise<RunningConfiguration> {
    const { configuration, configVersion } = this.options;
    const { version, hash, source } = await currentConfiguration(this.pool, this.stream, configVersion);
    if (this.last?.version !== version) {
      const recorded = versionText(source, hash);
      this.last = { definition: configuration.definitionOf(recorded), version, hash, observers: () => configuration.observersOf(recorded) };
    }
    return this.last;
  }
}
