import type { CaptureDefinition, EndpointDefinition, ObserverDefinition } from '../event/definitions';
import type { Matcher } from '../matching/matcher';

/** What a reload changes. */
export interface StreamConfiguration {
  readonly observers: readonly ObserverDefinition[];
  /** Where alerts go; null when nobody asks for them. */
  readonly alerts: EndpointDefinition | null;
  /** Tables that are to be captured. */
  readonly captures: readonly CaptureDefinition[];
  readonly version: number;
}

/** By what events are decided now. Written by the pipeline only, between two pages of the reader and two rounds of the worker. */
export class CurrentConfiguration {
  constructor(
    public matcher: Matcher,
    public version: number,
  ) {}
}
