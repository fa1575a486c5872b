import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { ServiceConfiguration } from '../../config/service-configuration';
import type { TermContext } from '../../event/term-context';
import type { SideJob } from '../../pipeline/side-job';
import { endFeeds } from './feed.sql';
import { IndexFeed } from './index-feed';

/** The feeding of the search index that a leader does on the side, where OBSERVERS_SEARCH_DRIVER says elasticsearch. */
@Injectable()
export class IndexFeeds {
  constructor(
    private readonly pool: Pool,
    private readonly configuration: ServiceConfiguration,
  ) {}

  async begin(term: TermContext): Promise<SideJob[]> {
    const { settings } = this.configuration;
    if (settings.searchDriver === 'elasticsearch') return [new IndexFeed(term, this.pool, settings)];
    await endFeeds(this.pool, term.stream);
    return [];
  }
}
