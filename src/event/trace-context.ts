import type { EntityEvent } from './entity-event';

/** W3C Trace Context, level 1: which span of which trace whatever is called belongs under. */
export interface TraceContext {
  /** `00-<trace id, 32 hex digits>-<span id, 16>-<flags, 2>`; the last bit of the flags: sampled. */
  readonly traceparent: string;
  /** What the systems on the way have added for themselves. */
  readonly tracestate: string | null;
}

const TRACEPARENT = /^([\da-f]{2})-((?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16})-([\da-f]{2})(-|$)/;
/** What may stand in a header. The specification lets whoever passes a longer one on leave it out. */
const TRACESTATE = /^[\x20-\x7e]{1,512}$/;

/** @returns null for what is no trace context: an application may have stored anything */
export function parseTraceContext(traceparent: string | null, tracestate: string | null): TraceContext | null {
  if (traceparent === null) return null;
  const [, version = 'ff', ids, flags = '00', more] = TRACEPARENT.exec(traceparent) ?? [];
  if (version === 'ff' || (version === '00' && more !== '')) return null;
  return {
    // In a version to come the first four fields stay what they are, and the first flag; nothing else is known.
    traceparent: version === '00' ? traceparent : `00-${ids}-${parseInt(flags, 16) & 1 ? '01' : '00'}`,
    tracestate: tracestate !== null && TRACESTATE.test(tracestate) ? tracestate : null,
  };
}

/** Null when the writing application stored none. */
export function traceIdOf({ traceparent }: Pick<EntityEvent, 'traceparent'>): string | null {
  return traceparent === null ? null : traceparent.slice(3, 35);
}

/** Names and values. */
export function traceHeaders(context: TraceContext | null): readonly (readonly [string, string])[] {
  if (context === null) return NONE;
  const { traceparent, tracestate } = context;
  return tracestate === null
    ? [['traceparent', traceparent]]
    : [
        ['traceparent', traceparent],
        ['tracestate', tracestate],
      ];
}

const NONE = [] as const;
