import { z } from 'zod';
import type { DeadLetterDetails, DeadLetterGroup, DeadLetterItem } from '../../redrive/dead-letters.service';
import { count, named, pageOf, time } from './registry';

const FIELDS = {
  id: z.string().describe('the delivery id; of a quarantined change its event id'),
  kind: z.enum(['delivery', 'quarantine']),
  changeNumber: z.int(),
  observer: z.string().nullable(),
  action: z.string().nullable(),
  endpoint: z.string().nullable(),
  entityType: z.string().nullable(),
  entityKey: z.string().nullable(),
  error: z.string(),
  message: z.string(),
  status: z.int().nullable(),
  attempts: count,
  diedAt: time,
};

const ITEM: z.ZodType<DeadLetterItem> = named('DeadLetter', z.strictObject(FIELDS));

export const DLQ = named('DeadLetterPage', pageOf(ITEM));

export const DETAILS: z.ZodType<DeadLetterDetails> = named(
  'DeadLetterDetails',
  z.strictObject({
    ...FIELDS,
    response: z.string().nullable(),
    resolvedAt: time.nullable(),
    resolution: z.string().nullable(),
    configVersion: z.int().nullable(),
    data: z.unknown().describe('the row; null where it has more than 1 MiB'),
    dataBytes: z.int().nullable().describe('bytes of the row as text; null where it could not be measured'),
    dataProblem: z.string().nullable().describe('why a row is not shown'),
    tries: z.array(
      z.strictObject({
        attempt: z.int(),
        outcome: z.string(),
        error: z.string().nullable(),
        message: z.string().nullable(),
        status: z.int().nullable(),
        durationMs: z.number(),
        at: time,
      }),
    ),
    history: z.array(
      z.strictObject({
        at: time,
        what: z.string(),
        who: z.string().describe('of what a person did that person, else the instance'),
        detail: z.string().nullable(),
        error: z.string().nullable().describe('what it died of, or what a retry failed with'),
        status: z.int().nullable(),
        configVersion: z.int().nullable().describe('that it was tried by'),
        askedBy: z.string().nullable().describe('who asked for the retry that ended so'),
      }),
    ),
  }),
);

const GROUP: z.ZodType<DeadLetterGroup> = z.strictObject({
  observer: z.string().nullable().describe('null in groups by error, and for the quarantine'),
  error: z.string().nullable().describe('null in groups by observer'),
  count,
  oldest: time,
  newest: time,
});

export const STATS = named(
  'DeadLetterStats',
  z.strictObject({ count, oldest: time.nullable(), newest: time.nullable(), groups: z.array(GROUP) }),
);

const RETRY = {
  id: z.string(),
  request: z
    .enum(['queued', 'already under way', 'resolved'])
    .describe('resolved: it has left the queue already, and nothing was asked for'),
  configVersion: z.enum(['current', 'original']),
};

export const RETRY_RESULT = named(
  'RetryResult',
  z.strictObject({
    ...RETRY,
    state: z.enum(['delivered', 'failed again', 'resolved before']),
    result: z.strictObject({ delivered: z.boolean(), message: z.string().nullable() }).nullable(),
  }),
  'the outcome',
);

export const RETRY_OPEN = named(
  'RetryUnderWay',
  z.strictObject({
    ...RETRY,
    state: z
      .enum(['under way', 'waits for a service that leads', 'waits for its endpoint', 'taken back'])
      .describe('waits for its endpoint: its circuit breaker is not closed; taken back: somebody did so before it was tried'),
    result: z.null(),
  }),
  'asked for, and without an outcome yet: to ask again is harmless',
);

export const SET_PREVIEW = named(
  'DeadLetterSet',
  z.strictObject({
    count,
    sample: z.array(ITEM).describe('the first of them'),
    token: z.string().nullable().describe('stands for exactly these, for 24 hours; null when there are none'),
    held: z
      .array(
        z.strictObject({ name: z.string(), state: z.enum(['open', 'half-open']), probeIn: z.number().describe('milliseconds'), count }),
      )
      .describe('endpoints of them whose circuit breakers are not closed'),
  }),
  'what would be tried once more; nothing was changed but that the token was put down',
);

export const RETRY_ALL_RESULT = named(
  'RetryAllResult',
  z.strictObject({
    configVersion: z.enum(['current', 'original']),
    total: count.describe('of the set, when this request began'),
    asked: count.describe('asked for by this request'),
    alreadyUnderWay: count,
    left: count.describe('delivered, discarded or tried since the dry run'),
    remaining: count.describe('not asked for yet, for time ran out: the same token goes on with them'),
  }),
);

export const DISCARD_PREVIEW = named(
  'DiscardPreview',
  z.strictObject({
    count,
    sample: z.array(ITEM).describe('the first of them'),
    token: z.string().nullable().describe('stands for exactly these, for 24 hours; null when there are none'),
  }),
  'what would be given up; nothing was changed but that the token was put down',
);

export const DISCARD_ALL_RESULT = named(
  'DiscardAllResult',
  z.strictObject({
    total: count.describe('of the set, when this request began'),
    discarded: count.describe('given up by this request; they stay on record, and POST /dlq/restore has them back'),
    alreadyUnderWay: count.describe('one more try was asked for: left alone'),
    running: count.describe('of them those that are being tried at the moment'),
    left: count.describe('delivered, discarded or tried since the dry run'),
    remaining: count.describe('not come to yet, for time ran out: the same token goes on with them'),
  }),
);

export const DISCARD_RESULT = named(
  'DiscardResult',
  z.strictObject({ id: z.string(), result: z.enum(['discarded', 'already resolved']) }),
  'it stays on record, with who did it and why',
);

export const TAKEN_BACK = named(
  'TakenBack',
  z.strictObject({
    takenBack: count.describe('nobody had tried them: each is what it was before'),
    running: count.describe('being tried at this moment: they end'),
    tried: count.describe('of a replay: tried before, and tried again by the policy of their observers'),
    left: z.array(z.string()).describe('of the ids: nothing was asked for, or it has ended'),
    unknown: z.array(z.string()),
  }),
);

export const RESTORED = named(
  'Restored',
  z.strictObject({
    restored: count.describe('in the queue again'),
    gone: count.describe('their changes are no longer in the change log'),
    left: z.array(z.string()).describe('neither discarded nor skipped'),
  }),
);
