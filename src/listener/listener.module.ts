import { Injectable, Module } from '@nestjs/common';
import { ServiceConfiguration } from '../config/service-configuration';
import { PageSize } from '../change-log/page-size';
import { DatabaseUrl } from '../database/database.module';
import { ServiceLogger } from '../event/service-logger';
import type { EventPipeline } from '../pipeline/event-pipeline';
import { ChangeLogReader } from './change-log-reader';
import { ListenConnection } from './listen-connection';

/** The first door of the pipeline: fresh changes. */
@Injectable()
export class Readers {
  /** By stream: what was too much in one term is not tried again in the next. */
  private readonly pageSizes = new Map<string, PageSize>();

  constructor(
    private readonly url: DatabaseUrl,
    private readonly configuration: ServiceConfiguration,
    private readonly logger: ServiceLogger,
  ) {}

  /** The session that hears of new changes. It outlasts terms. @param onWake see ListenConnection */
  listen(onWake: () => void): ListenConnection {
    return new ListenConnection(this.url.text, this.logger, this.configuration.settings.wakeup === 'notify', onWake);
  }

  open(pipeline: EventPipeline, listen: ListenConnection): ChangeLogReader {
    const { maxInFlight, maxEventSize, pollInterval } = this.configuration.settings;
    const { stream } = pipeline.term;
    const pageSize = this.pageSizes.get(stream) ?? new PageSize();
    this.pageSizes.set(stream, pageSize);
    return new ChangeLogReader(pipeline, listen, { url: this.url.text, maxInFlight, maxEventSize, pollInterval, pageSize });
  }
}

@Module({ providers: [Readers], exports: [Readers] })
export class ListenerModule {}
