import type { ObserverDefinition, RateLimit } from '../event/definitions';
import type { Frequent } from './counting';
import type { ShownDelivery } from './renderer';

/** How many, and the ids of the first events. */
export interface Examples {
  readonly count: number;
  readonly events: readonly string[];
}

export interface Trouble extends Examples {
  readonly action: string;
  readonly what: string;
}

/** What one observer would have made of the stored events. */
export interface ObserverPreview {
  readonly name: string;
  /** In the running version: `new` is not there, `removed` is there alone. */
  readonly is: 'new' | 'kept' | 'removed';
  readonly mode: ObserverDefinition['mode'];
  /** Events. */
  readonly matched: number;
  readonly noAnswer: Examples & { readonly error: string | null };
  /** The condition takes look-ups, and nothing is asked. */
  readonly undecided: number;
  /** Brought about by too many deliveries: dead letters. */
  readonly loops: number;
  /** To the running version; null when there is none. */
  readonly difference: {
    readonly newlyMatched: Examples;
    readonly noLongerMatched: Examples;
    /** Events of which one side or the other has no answer, or takes look-ups. */
    readonly unknown: number;
  } | null;
  /** Names of look-ups that its actions or its condition take: what they give is not known. */
  readonly lookups: readonly string[];
  readonly deliveries: number;
  /** Deliveries that would be dead letters for their templates. */
  readonly failing: readonly Trouble[];
  /** Template values that events have not. */
  readonly missing: readonly Trouble[];
  /** Entities with the most deliveries. */
  readonly hottest: readonly Frequent[];
  /** The newest event that it matches, and what would be sent of it. */
  readonly sample: { readonly event: string; readonly entity: string; readonly deliveries: readonly ShownDelivery[] } | null;
}

export interface EndpointPreview {
  readonly endpoint: string;
  readonly deliveries: number;
  /** Over the whole time. */
  readonly perHour: number;
  readonly busiestHour: { readonly from: string; readonly deliveries: number };
  readonly rateLimit: RateLimit | null;
  /** The fullest second, minute or hour, as the rate limit counts; a minute where there is none. */
  readonly peak: { readonly from: string; readonly span: number; readonly deliveries: number };
  readonly overLimit: boolean;
}

export interface PreviewReport {
  readonly events: number;
  /** Changes that are no events (quarantine). */
  readonly unreadable: number;
  readonly from: string | null;
  readonly to: string | null;
  readonly observers: readonly ObserverPreview[];
  readonly endpoints: readonly EndpointPreview[];
}
