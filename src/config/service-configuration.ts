import type { DriftChoice } from '../event/drift-choice';
import type { LoadedConfiguration, ObserversSource } from './load';
import type { Settings } from './settings';

/** What this instance was started with. The settings hold until it ends; the observers until a reload. */
export class ServiceConfiguration {
  constructor(
    readonly source: ObserversSource,
    readonly loaded: LoadedConfiguration,
    /** Under which the file's text is on record. */
    readonly version: number,
    /** Put on record beside each version. */
    readonly loadedBy: string,
    readonly drift: DriftChoice,
  ) {}

  get settings(): Settings {
    return this.loaded.settings;
  }
}
