import { Injectable } from '@nestjs/common';
import { ServiceSettings } from '../config/service-settings';
import { Database } from '../database/database';
import { transaction } from '../database/transaction';
import { recordOperation } from '../database/operation.sql';
import { ExitCode, OperatorError } from '../event/errors';
import { askRebuild, listParked, retryParked, type ParkedDocument } from './search-index.sql';

export type { ParkedDocument } from './search-index.sql';

/** What people see and do of the index in Elasticsearch; the leader does what they ask for. */
@Injectable()
export class SearchIndex {
  constructor(
    private readonly database: Database,
    private readonly settings: ServiceSettings,
  ) {}

  /** Documents that Elasticsearch has refused for good, the oldest changes first. */
  parked(limit: number): Promise<ParkedDocument[]> {
    const place = this.place();
    return this.database.use((client) => listParked(client, place, limit));
  }

  /** Has them tried once more. @param changes their numbers; null: all @returns how many */
  retry(changes: readonly number[] | null, who: string): Promise<number> {
    const place = this.place();
    return this.database.use((client) =>
      transaction(client, 'begin', async () => {
        const asked = await retryParked(client, place, changes);
        const items = { stream: place.stream, index: place.index, count: asked };
        if (asked > 0) await recordOperation(client, { who, what: 'search: retry asked for', items, before: null, after: null });
        return asked;
      }),
    );
  }

  /** Has the index built anew beside the one that is searched. @param since RFC 3339 @returns the number of the new generation */
  rebuild(since: string | null, who: string): Promise<number> {
    const place = this.place();
    return this.database.use((client) =>
      transaction(client, 'begin', async () => {
        const generation = await askRebuild(client, place, since);
        if (generation === null)
          throw new OperatorError(
            `there is no index "${place.index}" of the stream "${place.stream}" to be built anew`,
            'It is begun by the first service that leads with OBSERVERS_SEARCH_DRIVER=elasticsearch.',
            ExitCode.notFound,
          );
        const items = { stream: place.stream, index: place.index, since };
        await recordOperation(client, { who, what: 'search: rebuild asked for', items, before: null, after: { generation } });
        return generation;
      }),
    );
  }

  private place(): { readonly stream: string; readonly index: string } {
    const { stream, searchIndex: index, searchDriver } = this.settings.values;
    if (searchDriver === 'elasticsearch') return { stream, index };
    throw new OperatorError(
      'there is no search index: searches look through PostgreSQL itself, which has nothing to be built anew or parked',
      'With OBSERVERS_SEARCH_DRIVER=elasticsearch there is one: docs/search.md',
      ExitCode.configuration,
    );
  }
}
