import type { Matcher } from '../matching/matcher';

/** By what events are decided now. Written by the term only, between two pages of the reader and two rounds of the worker. */
export class CurrentConfiguration {
  constructor(
    public matcher: Matcher,
    public version: number,
  ) {}
}
