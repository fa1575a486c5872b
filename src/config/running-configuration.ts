import { Injectable } from '@nestjs/common';
import type { ObserverDefinition, ObserversDefinition } from '../event/definitions';
import { ConfigVersions } from './config-versions.service';
import { versionText } from './rules';
import { ServiceConfiguration } from './service-configuration';

/** The configuration that a stream is led with. */
export interface Running {
  /** To look at, and never to deliver by. */
  readonly definition: ObserversDefinition;
  readonly version: number;
  readonly hash: string;
  /** To deliver by. @throws ConfigurationError when this instance cannot load it */
  readonly observers: () => readonly ObserverDefinition[];
}

/** What runs, whatever this instance was started with: another one may lead, by another file. */
@Injectable()
export class RunningConfiguration {
  private readonly last = new Map<string, Running>();

  constructor(
    private readonly versions: ConfigVersions,
    private readonly configuration: ServiceConfiguration,
  ) {}

  /** Before the first leader of a stream that of this instance. */
  async of(stream: string): Promise<Running> {
    const { loaded, version: own } = this.configuration;
    const { version, hash, source } = await this.versions.current(stream, own);
    const known = this.last.get(stream);
    if (known?.version === version) return known;
    const recorded = versionText(source, hash);
    const running = { definition: loaded.definitionOf(recorded), version, hash, observers: () => loaded.observersOf(recorded) };
    this.last.set(stream, running);
    return running;
  }
}
