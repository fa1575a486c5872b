import { Injectable } from '@nestjs/common';
import { ServiceLogger } from '../event/service-logger';

/** What people did that no table keeps. */
@Injectable()
export class PersonalActions {
  constructor(private readonly logger: ServiceLogger) {}

  note(what: string, by: string, fields: Readonly<Record<string, unknown>>): void {
    this.logger.info({ by, ...fields }, what);
  }
}
