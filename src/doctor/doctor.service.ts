import { Injectable } from '@nestjs/common';
import { DatabaseUrl } from '../database/database.module';
import { connect, disconnect } from '../database/postgres';
import type { Settings } from '../config/settings';
import type { CaptureDefinition } from '../event/definitions';
import { examine } from './examine';
import type { Finding } from './finding';

export type { Finding } from './finding';

/** Milliseconds of one statement: whoever asks has somebody waiting, and some look at whole catalogs. */
const STATEMENT = 5_000;

/** Everything that is known to go wrong, as a running service sees it: by its own role, on a connection of its own. */
@Injectable()
export class Doctor {
  constructor(private readonly url: DatabaseUrl) {}

  async examine(settings: Settings, captures: readonly CaptureDefinition[], unverified: boolean): Promise<Finding[]> {
    const { text: url } = this.url;
    const client = await connect(url, 'api');
    try {
      await client.query(`set statement_timeout = ${STATEMENT}`);
      return await examine({ client, url, settings, captures, unverified });
    } finally {
      await disconnect(client);
    }
  }
}
