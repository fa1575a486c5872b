import { z } from 'zod';
import type { Audit } from '../../audit/audits.service';
import type { VersionDiff } from '../../config/version-diff';
import type { Finding } from '../../doctor/doctor.service';
import type { ConfigurationPreview } from '../../dry-run/previews.service';
import type { ObserverTrial, SentDelivery } from '../../dry-run/test-events.service';
import type { JsonValue } from '../../event/json-document';
import type { Content } from '../../actions/rendering';
import type { ShownDelivery } from '../../dry-run/renderer';
import { CONDITION } from './events';
import { count, named, time } from './registry';

const FINDING: z.ZodType<Finding> = z.strictObject({
  check: z.string(),
  state: z.enum(['ok', 'warning', 'problem', 'unknown']),
  message: z.string(),
  repair: z.string().nullable().describe('a command, a statement or a setting; null when there is nothing to repair'),
});

export const FINDINGS = named('Findings', z.strictObject({ problems: count, warnings: count, findings: z.array(FINDING) }));

const SUMS = {
  stream: z.string(),
  changes: count.describe('that the stream has passed'),
  quarantined: count,
  ignored: count,
  passedOver: count.describe('a person moved the checkpoint past them'),
  notMatched: count.describe('observers that were asked, and did not match'),
  delivered: count,
  skipped: count,
  shadow: count,
  dead: count,
  discarded: count,
  parked: count,
  pending: count,
  dismissed: count,
  unaccounted: count.describe('nothing is on record of them, and must be'),
  list: z
    .array(
      z.strictObject({
        changeNumber: z.int(),
        event: z.string(),
        entityType: z.string(),
        entityKey: z.string(),
        timestamp: z.string(),
        observer: z.string(),
        action: z.string(),
        version: z.int(),
      }),
    )
    .describe('the first of the unaccounted ones'),
  unverifiable: z
    .strictObject({ versionUnknown: count, versionUnreadable: count, clock: count, outside: count, size: count })
    .describe('what cannot be proved either way, by its reason'),
};

export const VERIFIED: z.ZodType<Audit & { next: string | null }> = named(
  'AuditPart',
  z.strictObject({ ...SUMS, next: z.string().nullable().describe('time ran out: the cursor that goes on behind it; null: that is all') }),
  'sums over the changes that this answer is about',
);

export const DIFF: z.ZodType<VersionDiff> = named(
  'ConfigDiff',
  z.strictObject({
    from: z.string(),
    to: z.string(),
    same: z.boolean().describe('word for word'),
    patch: z.string().describe('unified; without what is secret, and empty where nothing else differs'),
  }),
);

const EXAMPLES = { count, events: z.array(z.string()) };
const EXAMPLE = z.strictObject(EXAMPLES);
const TROUBLE = z.strictObject({ ...EXAMPLES, action: z.string(), what: z.string() });
const PERIOD = { from: z.string(), deliveries: count };

// What it holds is the action type's own business.
const CONTENT = z.looseObject({ type: z.string() }) as unknown as z.ZodType<Content>;

const TYPE = z.string() as unknown as z.ZodType<ShownDelivery['type']>;

const SHOWN: z.ZodType<ShownDelivery> = z.strictObject({
  action: z.string(),
  type: TYPE,
  endpoint: z.string(),
  content: CONTENT.nullable().describe('what would be sent, long texts cut; null when nothing would be: see problem'),
  payload: z.strictObject({ bytes: count, sha256: z.string() }).nullable(),
  missing: z.array(z.string()),
  fromLookups: z.array(z.string()),
  notes: z.array(z.string()),
  problem: z.string().nullable(),
});

const mode = z.enum(['live', 'shadow']);

export const PREVIEWED: z.ZodType<ConfigurationPreview> = named(
  'ConfigPreview',
  z.strictObject({
    file: z.string(),
    version: z.int().describe('that it is compared with: the one that leads'),
    notes: z.array(z.string()),
    complete: z.boolean().describe('false: time ran out before the newest events'),
    events: count,
    unreadable: count.describe('changes that are no events'),
    from: z.string().nullable(),
    to: z.string().nullable(),
    observers: z.array(
      z.strictObject({
        name: z.string(),
        is: z.enum(['new', 'kept', 'removed']),
        mode,
        matched: count,
        noAnswer: z.strictObject({ ...EXAMPLES, error: z.string().nullable() }),
        undecided: count,
        loops: count,
        difference: z.strictObject({ newlyMatched: EXAMPLE, noLongerMatched: EXAMPLE, unknown: count }).nullable(),
        lookups: z.array(z.string()),
        deliveries: count,
        failing: z.array(TROUBLE),
        missing: z.array(TROUBLE),
        hottest: z.array(z.strictObject({ key: z.string(), count, atMost: count })),
        sample: z.strictObject({ event: z.string(), entity: z.string(), deliveries: z.array(SHOWN) }).nullable(),
      }),
    ),
    endpoints: z.array(
      z.strictObject({
        endpoint: z.string(),
        deliveries: count,
        perHour: z.number(),
        busiestHour: z.strictObject(PERIOD),
        rateLimit: z.strictObject({ count, per: z.number() }).nullable(),
        peak: z.strictObject({ ...PERIOD, span: z.number() }),
        overLimit: z.boolean(),
      }),
    ),
  }),
  'what the file would have made of the stored events; nothing was sent',
);

const TRIAL: z.ZodType<ObserverTrial> = z.strictObject({
  name: z.string(),
  mode,
  verdict: z.string() as unknown as z.ZodType<ObserverTrial['verdict']>,
  why: z.string(),
  condition: CONDITION.nullable(),
  lookups: z.array(
    z.strictObject({
      name: z.string(),
      state: z.enum(['not asked', 'nothing to ask', 'found', 'nothing found', 'failed']),
      url: z.string().nullable(),
      found: z.unknown() as unknown as z.ZodType<JsonValue>,
      why: z.string().nullable(),
    }),
  ),
  deliveries: z.array(SHOWN),
});

const SENT: z.ZodType<SentDelivery> = z.strictObject({
  observer: z.string(),
  action: z.string(),
  id: z.string().describe('its own: not that of the real delivery'),
  ok: z.boolean(),
  status: z.int().nullable(),
  error: z.string().nullable(),
  message: z.string().nullable(),
  response: z.string().nullable(),
});

export const TESTED = named(
  'EventTest',
  z.strictObject({
    event: z.looseObject({ id: z.string(), entityType: z.string(), entityKey: z.string(), timestamp: time }),
    observers: z.array(TRIAL),
    notes: z.array(z.string()),
    sent: z.array(SENT).nullable().describe('null: nothing was to be sent'),
  }),
);
