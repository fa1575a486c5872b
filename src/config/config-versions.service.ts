import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import { currentConfiguration, readConfigVersion, readVersions, type CurrentVersion, type RecordedVersion } from './config-version.sql';
import type { VersionText } from './rules';

export type { CurrentVersion, RecordedVersion } from './config-version.sql';

/** The versions of the observers file that services have run with. */
@Injectable()
export class ConfigVersions {
  constructor(private readonly database: Database) {}

  /** Newest first. */
  list(stream: string): Promise<RecordedVersion[]> {
    return this.database.use((client) => readVersions(client, stream));
  }

  /** As it was loaded; null when there is no such version. */
  read(version: number): Promise<VersionText | null> {
    return this.database.use((client) => readConfigVersion(client, version));
  }

  /** The version that the stream was led with last, or that one when nobody has led it yet. */
  current(stream: string, otherwise: number): Promise<CurrentVersion> {
    return this.database.use((client) => currentConfiguration(client, stream, otherwise));
  }
}
