import type { Pool } from 'pg';
import type { ActionRunner } from '../actions/action-runner';
import { describeFailure } from '../config/problems';
import type { VersionText } from '../config/rules';
import { readConfigVersion } from '../config/config-version.sql';
import type { ObserverDefinition } from '../event/definitions';
import { Matcher } from '../matching/matcher';

/** A configuration version to deliver by, or why it can no longer be loaded. */
export type LoadedVersion = { readonly matcher: Matcher } | { readonly problem: string };

/**
 * Configurations of earlier, for deliveries that a person wants to be redelivered as they were meant then. Each is loaded once a term;
 * its connections end with the runner, as those of the configuration that runs.
 */
export class OlderConfigurations {
  private readonly loaded = new Map<number, LoadedVersion>();

  /** @param observersOf loads the text of a version; throws ConfigurationError when it cannot */
  constructor(
    private readonly pool: Pool,
    private readonly runner: ActionRunner,
    private readonly observersOf: (version: VersionText) => readonly ObserverDefinition[],
  ) {}

  /** Loads these versions; afterwards `get` knows them. */
  async load(versions: Iterable<number>): Promise<void> {
    for (const version of versions) {
      if (this.loaded.has(version)) continue;
      const text = await readConfigVersion(this.pool, version);
      this.loaded.set(version, text === null ? { problem: 'it is not on record' } : this.prepare(text));
    }
  }

  get(version: number): LoadedVersion {
    return this.loaded.get(version) ?? { problem: 'it is not loaded' };
  }

  private prepare(text: VersionText): LoadedVersion {
    try {
      const observers = this.observersOf(text);
      this.runner.prepareAll(observers);
      return { matcher: new Matcher(observers) };
    } catch (error) {
      // A variable that is no longer set, an action that is no longer possible: told in the dead letter, and never a value.
      return { problem: describeFailure(error) };
    }
  }
}
