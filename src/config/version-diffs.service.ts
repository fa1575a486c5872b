import { Injectable } from '@nestjs/common';
import { ExitCode, OperatorError } from '../event/errors';
import { SECRETS } from '../event/secrets';
import { ConfigVersions } from './config-versions.service';
import { describeFailure } from './problems';
import { RunningConfiguration } from './running-configuration';
import { ServiceConfiguration } from './service-configuration';
import type { NamedText, VersionDiff } from './version-diff';

/** What changed between versions of the observers file, for whoever may look and may not read the file: without what is secret in it. */
@Injectable()
export class VersionDiffs {
  constructor(
    private readonly versions: ConfigVersions,
    private readonly running: RunningConfiguration,
    private readonly configuration: ServiceConfiguration,
  ) {}

  /** @param from null: the version that leads @param to null: the file as this instance would load it now @throws OperatorError */
  async between(from: number | null, to: number | null): Promise<VersionDiff> {
    // Its library is 19 files, and no service needs them to start.
    const { diffOf } = await import('./version-diff');
    const { stream } = this.configuration.settings;
    const old = await this.version(from ?? (await this.running.of(stream)).version);
    return diffOf(old, to === null ? this.file() : await this.version(to), (text) => SECRETS.hide(text));
  }

  /** Only of what can be loaded it is known what is secret. */
  private async version(version: number): Promise<NamedText> {
    const found = await this.versions.read(version);
    if (found === null) throw new OperatorError(`there is no version ${version}`, 'What there is: GET /config/versions', ExitCode.notFound);
    try {
      this.configuration.loaded.observersOf(found);
    } catch (error) {
      throw new OperatorError(
        `version ${version} can no longer be loaded, and so it is not known what is secret in it: ${SECRETS.hide(describeFailure(error))}`,
        'By the command, for whoever may read it: fraiseql-observers config diff',
      );
    }
    return { name: `version ${version}`, source: found.text };
  }

  private file(): NamedText {
    const { file } = this.configuration.source.load();
    return { name: file.path, source: file.source.text };
  }
}
