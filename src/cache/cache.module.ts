import { Module } from '@nestjs/common';
import { LookupCache } from './lookup-cache';
import { MemoryCache } from './memory-cache';

/** A driver is a file and a line; test/conformance/lookup-cache.test.ts runs each. */
export const LOOKUP_CACHES = {
  memory: (): LookupCache => new MemoryCache(),
};

@Module({ providers: [{ provide: LookupCache, useFactory: LOOKUP_CACHES.memory }], exports: [LookupCache] })
export class CacheModule {}
