import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { settleFile } from '../doctor/file-warnings';
import type { LoadedConfiguration } from '../config/load';
import { ServiceConfiguration } from '../config/service-configuration';
import { DatabaseUrl } from '../database/database.module';
import { recordOperation } from '../database/operation.sql';
import { pooledTransaction } from '../database/transaction';
import { counted } from '../event/counted';
import { ServiceLogger } from '../event/service-logger';
import { Streams } from '../ha/streams.service';
import { describeFailure } from '../config/problems';
import { SETTINGS, type SettingName, type Settings } from '../config/settings';
import { recordConfigVersion } from '../config/config-version.sql';
import { countByObserver } from '../status/status-detail.sql';
import type { ObserverDefinition } from '../event/definitions';
import type { Reloaded } from './reloaded';

/** The configuration that this instance goes by, and how it gets another one while it runs. One reload at a time. */
@Injectable()
export class Reloader {
  private configuration: LoadedConfiguration;
  private version: number;
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly started: ServiceConfiguration,
    private readonly url: DatabaseUrl,
    private readonly pool: Pool,
    private readonly streams: Streams,
    private readonly logger: ServiceLogger,
  ) {
    this.configuration = started.loaded;
    this.version = started.version;
  }

  /** The one that holds, and its version. */
  get current(): { readonly configuration: LoadedConfiguration; readonly version: number } {
    return { configuration: this.configuration, version: this.version };
  }

  /**
   * Reads the file again and goes on by it: without losing an event and without sending one twice. All is checked before anything changes.
   *
   * @param asked who asked, for the log
   * @throws ConfigurationError, or another OperatorError; all is then as it was
   */
  reload(asked: string): Promise<Reloaded> {
    const reloading = this.last.then(() => this.run(asked));
    this.last = reloading.catch(() => undefined);
    return reloading;
  }

  /** Waits for a reload under way. */
  async settle(): Promise<void> {
    await this.last;
  }

  private async run(asked: string): Promise<Reloaded> {
    const { logger } = this;
    const begun = performance.now();
    try {
      const reloaded = await this.change(this.started.source.load(), asked);
      for (const note of reloaded.notes) logger.warn({ asked }, note);
      logger.info(
        { asked, ...reloaded, notes: reloaded.notes.length, duration_ms: Math.round(performance.now() - begun) },
        'the configuration is reloaded',
      );
      return reloaded;
    } catch (error) {
      logger.error(
        { asked, err: describeFailure(error), config_version: this.version },
        'not reloaded: the configuration that runs goes on',
      );
      throw error;
    }
  }

  private async change(next: LoadedConfiguration, asked: string): Promise<Reloaded> {
    const { pool, streams, logger } = this;
    const { loadedBy, drift } = this.started;
    const { file } = next;
    const warnings = await settleFile(this.url.text, file, { ...drift, logger });
    const previous = this.version;
    const version = await pooledTransaction(pool, 'begin', async (client) => {
      const recorded = await recordConfigVersion(client, file.source.hash, file.source.text, loadedBy);
      const items = { stream: this.started.settings.stream };
      await recordOperation(client, {
        who: asked,
        what: 'configuration: reloaded',
        items,
        before: { version: previous },
        after: { version: recorded },
      });
      return recorded;
    });
    const { observers, alerts, captures } = file.definition;
    const difference = differenceOf(this.configuration.file.definition.observers, file.definition.observers);
    const notes = [
      ...warnings,
      ...settingNotes(this.configuration.settings, next.settings),
      ...(await this.orphanNotes(difference.removed)),
    ];
    const effective = await streams.reconfigure({ observers, alerts, captures, version });
    // The settings with which it was started go on.
    this.configuration = { ...next, settings: this.configuration.settings, origins: this.configuration.origins };
    this.version = version;
    return { version, previous, effective, ...difference, notes };
  }

  /** Deliveries of observers that are no longer there: dead letters soon, which a redrive by the original configuration can still deliver. */
  private async orphanNotes(removed: readonly string[]): Promise<string[]> {
    if (removed.length === 0) return [];
    const counts = await countByObserver(this.pool, this.started.settings.stream);
    return counts
      .filter(({ observer, pending }) => pending > 0 && removed.includes(observer))
      .map(
        ({ observer, pending }) =>
          `${counted(pending, 'delivery', 'deliveries')} of ${observer} waited, which is no longer configured: ${pending === 1 ? 'it becomes a dead letter' : 'they become dead letters'}`,
      );
  }
}

function differenceOf(
  before: readonly ObserverDefinition[],
  after: readonly ObserverDefinition[],
): Pick<Reloaded, 'added' | 'removed' | 'changed'> {
  const old = new Map(before.map((observer) => [observer.name, observer]));
  const names = new Set(after.map(({ name }) => name));
  return {
    added: after.filter(({ name }) => !old.has(name)).map(({ name }) => name),
    removed: before.filter(({ name }) => !names.has(name)).map(({ name }) => name),
    changed: after
      .filter((observer) => old.has(observer.name) && !isDeepStrictEqual(old.get(observer.name), observer))
      .map(({ name }) => name),
  };
}

function settingNotes(before: Settings, after: Settings): string[] {
  return (Object.keys(SETTINGS) as SettingName[])
    .filter((name) => !isDeepStrictEqual(before[name], after[name]))
    .map((name) => `${SETTINGS[name].variable} has changed in the file; settings take effect at the next start`);
}
