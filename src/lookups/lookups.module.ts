import { Injectable, Module } from '@nestjs/common';
import { CacheModule } from '../cache/cache.module';
import { LookupCache } from '../cache/lookup-cache';
import type { TermContext } from '../event/term-context';
import { Enrichment } from './enrichment';
import type { LookupEvents } from './lookup';
import { Lookups } from './lookups';

/** Look-ups over the one cache of the process; their connections end with the term. */
@Injectable()
export class Enrichments {
  constructor(private readonly cache: LookupCache) {}

  open({ clock, logger }: TermContext, events: LookupEvents): Enrichment {
    return new Enrichment(new Lookups(this.cache, clock, logger, events), clock);
  }
}

@Module({ imports: [CacheModule], providers: [Enrichments], exports: [Enrichments] })
export class LookupsModule {}
