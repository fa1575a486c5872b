import { LRUCache } from 'lru-cache';
import type { ClientBase, Pool } from 'pg';
import { describeFailure } from '../config/problems';
import type { VersionText } from '../config/rules';
import { readConfigVersion } from '../config/config-version.sql';
import type { ObserversDefinition } from '../event/definitions';
import { Matcher } from '../matching/matcher';

/** A version of the configuration to explain by, or why it cannot be read any more. */
export type ReadVersion =
  | { readonly version: number; readonly definition: ObserversDefinition; readonly matcher: Matcher }
  | { readonly version: number; readonly problem: string };

/** In memory at once; a thousand observers with their conditions take 10 MB. */
const MOST = 10;

/** Versions of the configuration, each read once. Never to deliver by: secrets need not resolve. */
export class Versions {
  private readonly read = new LRUCache<number, Promise<ReadVersion>>({ max: MOST });

  /** @param definitionOf reads a version of the observers file; throws ConfigurationError when it cannot */
  constructor(
    private readonly client: ClientBase | Pool,
    private readonly definitionOf: (version: VersionText) => ObserversDefinition,
  ) {}

  of(version: number): Promise<ReadVersion> {
    let read = this.read.get(version);
    if (read === undefined) {
      read = this.load(version);
      this.read.set(version, read);
      // The database did not answer; it may the next time.
      read.catch(() => this.read.delete(version));
    }
    return read;
  }

  private async load(version: number): Promise<ReadVersion> {
    const text = await readConfigVersion(this.client, version);
    if (text === null) return { version, problem: 'it is not on record' };
    try {
      const definition = this.definitionOf(text);
      return { version, definition, matcher: new Matcher(definition.observers) };
    } catch (error) {
      return { version, problem: describeFailure(error) };
    }
  }
}
