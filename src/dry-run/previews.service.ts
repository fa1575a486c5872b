import { Injectable } from '@nestjs/common';
import { CustomActions } from '../actions/custom/custom-actions';
import { UnrecordedCalls } from '../actions/database/unrecorded-calls';
import type { LoadedConfiguration } from '../config/load';
import { describeFailure } from '../config/problems';
import { RunningConfiguration, type Running } from '../config/running-configuration';
import { DatabaseUrl } from '../database/database.module';
import type { ObserverDefinition } from '../event/definitions';
import { ServiceLogger } from '../event/service-logger';
import { StoredEvents } from '../explain/stored-events.service';
import { Matcher } from '../matching/matcher';
import { Preview } from './preview';
import { Renderer } from './renderer';
import type { PreviewReport } from './report';
import { clockNotes, scan } from './scan';

export interface PreviewRequest {
  /** RFC 3339. */
  readonly since: string;
  /** Only the newest so many events. */
  readonly limit: number;
  readonly stopped: () => boolean;
}

export interface ConfigurationPreview extends PreviewReport {
  readonly file: string;
  /** What it is compared with. */
  readonly version: number;
  readonly notes: readonly string[];
  /** False: time ran out before the newest of them. */
  readonly complete: boolean;
}

/** What the observers file, as it stands now, would have made of the stored events. */
@Injectable()
export class Previews {
  constructor(
    private readonly events: StoredEvents,
    private readonly running: RunningConfiguration,
    private readonly custom: CustomActions,
    private readonly url: DatabaseUrl,
    private readonly logger: ServiceLogger,
  ) {}

  async run({ file, settings }: LoadedConfiguration, { since, limit, stopped }: PreviewRequest): Promise<ConfigurationPreview> {
    const { observers, redaction } = file.definition;
    const { custom, url } = this;
    const running = await this.running.of(settings.stream);
    const before = observersOf(running);
    const once = new UnrecordedCalls(() => Promise.resolve(url.text));
    const silent = this.logger.child({}, { level: 'silent' });
    const renderer = new Renderer(observers, redaction, silent, { settings, custom, once });
    try {
      const preview = new Preview(observers, before.observers, renderer, settings.maxHops);
      const { maxEventSize } = settings;
      const complete = await scan(this.events, preview, { since, limit, maxEventSize }, () => stopped());
      const notes = [...before.notes, ...clockNotes(observers)];
      return { file: file.path, version: running.version, notes, complete, ...preview.report };
    } finally {
      await renderer.close();
    }
  }
}

function observersOf({ version, definition, observers }: Running): { observers: readonly ObserverDefinition[] | null; notes: string[] } {
  try {
    const own = observers();
    void new Matcher(own);
    return { observers: own, notes: [] };
  } catch (error) {
    const what = definition.redaction.text(describeFailure(error), []);
    return { observers: null, notes: [`version ${version}, which runs, cannot be read here: ${what}`] };
  }
}
