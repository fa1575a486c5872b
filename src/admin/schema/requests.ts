import { z } from 'zod';
import { EVENT_KINDS, type EventKind } from '../../event/entity-event';
import { didYouMean } from '../../config/problems';
import { ITEM_ERRORS } from '../../redrive/item-errors';
import { OUTCOMES, STATES } from './deliveries';
import { COUNTED_BY } from '../../search/audit-trail';
import { named } from './registry';

/** Items on one page. */
const MOST = 200;
const LATEST = 253_402_300_800_000;

// PostgreSQL has no character 0.
const text = (most: number): z.ZodString => z.string().min(1).max(most).regex(/^[^\0]*$/, 'it may hold no character 0'); // prettier-ignore

/** PostgreSQL knows more times, and writes them otherwise. */
const moment = z.iso
  .datetime({ offset: true, abort: true, error: 'expected a time such as 2026-01-31T10:00:00Z' })
  .refine((value) => Date.parse(value) >= 0 && Date.parse(value) < LATEST, 'expected a time from 1970 to 9999');

const limit = z.coerce.number().int().min(1).max(MOST).default(50).describe('entries of a page');
const cursor = z
  .string()
  .regex(/^[\w-]{1,400}$/)
  .describe('the next of the page before')
  .optional();

const UUID = '[\\da-fA-F]{8}(?:-[\\da-fA-F]{4}){3}-[\\da-fA-F]{12}';
const uuid = z.string().regex(new RegExp(`^${UUID}$`), 'expected a UUID');

export const ITEM_PATH = z.strictObject({ id: uuid.describe('the delivery id; of a quarantined change its event id') });
export const EVENT_PATH = z.strictObject({
  id: z
    .string()
    .regex(new RegExp(`^(?:${UUID}|\\d{1,15})$`), 'expected the id of an event, or a change number')
    .describe('the id in the body of its webhooks, or a change number'),
});
export const NAME_PATH = z.strictObject({ name: text(200).describe('its name') });

export const EVENTS_QUERY = z.strictObject({
  entity_type: text(1_000).optional().describe('only this type of entity'),
  entity_key: text(1_000).optional().describe('only this entity'),
  kind: z
    .enum(EVENT_KINDS as [EventKind, ...EventKind[]])
    .optional()
    .describe('only changes of this kind'),
  limit,
  cursor,
});

export const WHY_QUERY = z.strictObject({
  entity: text(1_000).describe('the type of entity, as the observers file calls it'),
  key: text(1_000).describe('its key, as the log has it; of several columns a JSON array'),
  observer: text(200).optional().describe('only what this observer made of it'),
  limit: z.coerce.number().int().min(1).max(100).default(5).describe('so many changes, the newest'),
});

export const SEARCH_QUERY = z.strictObject({
  q: text(500)
    .optional()
    .describe(
      'words; each must be found somewhere: in entity, event id, change number, data, or what came of it; in double quotes a text with blanks. May be left out with another filter, or with count_by',
    ),
  entity_type: text(1_000).optional().describe('only this type of entity'),
  entity_key: text(1_000).optional().describe('only this entity'),
  kind: z
    .enum(EVENT_KINDS as [EventKind, ...EventKind[]])
    .optional()
    .describe('only changes of this kind'),
  tenant: text(200).optional().describe('only of this tenant'),
  since: moment.optional().describe('written then or later'),
  until: moment.optional().describe('written before then'),
  observer: text(200).optional().describe('with a try of this observer; with the next three: one that is all of it'),
  action: text(200).optional().describe('with a try of this action'),
  outcome: z.enum(['succeeded', 'skipped', 'retry', 'dead']).optional().describe('with a try that came to this'),
  error: text(100).optional().describe('with a try that failed with this, such as timeout'),
  sort: z.enum(['newest', 'oldest']).default('newest').describe('which come first'),
  count_by: z.enum(COUNTED_BY).optional().describe('the tries instead of the events, counted by this'),
  limit,
  cursor,
});

export const EVENT_QUERY = z.strictObject({
  current: z
    .enum(['true', 'false'])
    .default('false')
    .describe('explain by the configuration that leads now, instead of the one that decided'),
});

export const OPERATIONS_QUERY = z.strictObject({
  who: text(200).optional().describe('only changes by this one'),
  what: text(200).optional().describe('only what begins so, such as `dead letter` or `observer: paused`'),
  since: moment.optional().describe('then or later'),
  until: moment.optional().describe('before then'),
  limit,
  cursor,
});

export const DELIVERIES_QUERY = z.strictObject({
  observer: text(200).optional().describe('only of this observer'),
  action: text(200).optional().describe('only of this action'),
  endpoint: text(500)
    .optional()
    .describe('only for this endpoint; of what has ended those of the actions that go there by the configuration that runs'),
  entity_type: text(1_000).optional().describe('only of entities of this type'),
  entity_key: text(1_000).optional().describe('only of this entity'),
  state: STATES.optional().describe('only in this state'),
  since: moment.optional().describe('in it since then or later'),
  until: moment.optional().describe('in it since before then'),
  limit,
  cursor,
});

export const TAIL_QUERY = z.strictObject({
  observer: text(200).optional().describe('only outcomes of this observer'),
  action: text(200).optional().describe('only outcomes of this action'),
  entity_type: text(1_000).optional().describe('only of entities of this type'),
  outcome: OUTCOMES.optional().describe('only this outcome'),
  since: moment.optional().describe('begin with what has happened since then'),
  number: z.coerce.number().int().min(0).max(1_000).default(10).describe('begin with the last so many'),
});
export const TAIL_HEADERS = z.strictObject({
  'last-event-id': z.string().max(8_000).optional().describe('go on behind this entry, the `id` of the last one that was taken'),
});

export const AUDIT_QUERY = z.strictObject({ since: moment.optional().describe('written then or later'), cursor });
export const DIFF_QUERY = z.strictObject({
  from: z.coerce.number().int().min(1).max(2_147_483_647).optional().describe('a version; without it the one that leads'),
  to: z.coerce.number().int().min(1).max(2_147_483_647).optional().describe('a version; without it the file of the instance that answers'),
});
export const PREVIEW_QUERY = z.strictObject({
  since: moment.optional().describe('events written then or later; without it those of the last day'),
  limit: z.coerce.number().int().min(1).max(10_000).default(1_000).describe('only the newest so many of them'),
});

const FILTER = {
  observer: text(200).optional().describe('only this observer'),
  action: text(200).optional().describe('only this action'),
  entity_type: text(1_000).optional().describe('only this type of entity'),
  entity_key: text(1_000).optional().describe('only this entity'),
  error: z
    .enum(ITEM_ERRORS as [string, ...string[]], {
      error: ({ input }) =>
        `there is no such kind of error${typeof input === 'string' ? didYouMean(input, ITEM_ERRORS) : ''}; there are ${ITEM_ERRORS.join(', ')}`,
    })
    .optional()
    .describe('only this kind of error, such as http_status or timeout'),
  endpoint: text(500).optional().describe('only what was meant for this endpoint'),
  after: moment.optional().describe('died then or later'),
  before: moment.optional().describe('died before then'),
};

export const DLQ_QUERY = z.strictObject({ ...FILTER, limit, cursor });
export const STATS_QUERY = z.strictObject({
  ...FILTER,
  by: z
    .enum(['observer', 'error', 'both'])
    .default('both')
    .describe('a group for each observer, for each kind of error, or for each pair of them'),
});

const config_version = z
  .enum(['current', 'original'])
  .default('current')
  .describe('with the configuration that runs, or with the one that the item died with');

export const RETRY_BODY = named(
  'RetryRequest',
  z.strictObject({
    config_version,
    wait: z.number().min(0).max(60).default(30).describe('seconds for which the answer waits for the outcome'),
  }),
);

export const RETRY_ALL_BODY = named(
  'RetryAllRequest',
  z.union([
    z.strictObject({ dry_run: z.literal(true), ...FILTER }).describe('a look at the set: changes nothing, and gives its token'),
    z
      .strictObject({
        token: text(8_000).describe('of a dry run: exactly its set'),
        config_version,
        despite_breaker: z.boolean().default(false).describe('also where the circuit breaker of an endpoint is open: they wait for it'),
      })
      .describe('one more try for each of the set'),
  ]),
);

const reason = text(1_000).optional().describe('for those who ask why');

const OF_SET = z.strictObject({ token: text(8_000).describe('of a dry run: all of its set'), reason });
const OF_IDS = z.strictObject({ ids: z.array(uuid).min(1).max(1_000).describe('ids of items'), reason });

export const CANCEL_BODY = named('CancelRequest', z.union([OF_SET, OF_IDS]));
export const RESTORE_BODY = named('RestoreRequest', z.union([OF_SET, OF_IDS]));

/** Why a person does something. */
export const REASON_BODY = named('Reason', z.strictObject({ reason }));

export const REPLAY_BODY = named(
  'ReplayRequest',
  z.union([
    z
      .strictObject({
        observers: z.array(text(200)).min(1).max(100).describe('who is to have the event once more, where the conditions are met'),
        actions: z.array(text(200)).min(1).max(100).optional().describe('only these actions of them'),
        only_missing: z.boolean().default(false).describe('only what has not been delivered, as far as is on record'),
        dry_run: z.boolean().default(true).describe('false: send at once what a dry run would show'),
      })
      .describe('a look at what would be sent, or the replay itself'),
    z.strictObject({ token: text(8_000).describe('of a dry run: exactly its deliveries') }).describe('the replay of a dry run'),
  ]),
);

const LANE = {
  observer: text(200).optional().describe('only of this observer'),
  action: text(200).optional().describe('only of this action'),
  entity_type: text(1_000).optional().describe('only of entities of this type'),
  entity_key: text(1_000).optional().describe('only of this entity'),
};
export const LANES_QUERY = z.strictObject({
  ...LANE,
  limit,
  offset: z.coerce.number().int().min(0).max(1_000_000).default(0).describe('skip so many'),
});
/** Which lanes: that is said, and never left to an empty body. */
const which = <M extends z.ZodRawShape>(more: M) =>
  z.union([
    z.strictObject({ ...LANE, observer: text(200).describe('of this observer'), ...more }),
    z.strictObject({ ...LANE, entity_type: text(1_000), entity_key: text(1_000), ...more }).describe('of this entity'),
    z.strictObject({ all: z.literal(true), ...more }).describe('all of them'),
  ]);
export const LANES_BODY = named('LanesRequest', which({}));
export const LANES_DEAD_LETTER_BODY = named(
  'LanesDeadLetterRequest',
  which({ whole_lane: z.boolean().default(false).describe('and everything that waits behind the heads') }),
);

export const UNACCOUNTED_QUERY = z.strictObject({ limit });
const DISMISSED = {
  observer: text(200).optional().describe('only of this observer'),
  action: text(200).optional().describe('only of this action'),
  reason,
};
export const DISMISS_BODY = named(
  'DismissRequest',
  z.union([
    z.strictObject({ change: z.int().min(1).max(Number.MAX_SAFE_INTEGER).describe('a change number'), ...DISMISSED }),
    z.strictObject({ all: z.literal(true), ...DISMISSED }).describe('of all changes'),
  ]),
);

export const DISCARD_BODY = named(
  'DiscardRequest',
  z.union([
    z.strictObject({ dry_run: z.literal(true), ...FILTER }).describe('a look at the set: changes nothing, and gives its token'),
    z
      .strictObject({ token: text(8_000).describe('of a dry run of this route: exactly its set'), reason })
      .describe('each of the set is given up'),
  ]),
);

export const RESET_BODY = named(
  'CheckpointResetRequest',
  z.union([
    z
      .strictObject({
        dry_run: z.literal(true),
        to: z
          .string()
          .regex(new RegExp(`^(?:now|beginning|${UUID}|\\d{1,15})$`), 'expected now, beginning, the id of an event, or a change number')
          .describe('now (skip what is committed), beginning, or the id or change number of the event that comes next'),
      })
      .describe('what it would do: changes nothing, and gives a token'),
    z.strictObject({ token: text(8_000).describe('of a dry run of this route'), reason }).describe('does it'),
  ]),
);

/** An event as `test-event --file` takes it: what is wrong with it is told with its place. */
const MADE = z.record(z.string(), z.unknown()).describe('an event: the envelope of a webhook, or entity, kind, key, data, before');
const TEST = {
  observers: z.array(text(200)).min(1).max(100).optional().describe('only these'),
  with_lookups: z.boolean().default(false).describe('really ask the look-ups; needs a token with the scope write'),
  send: z.boolean().default(false).describe('really send it, once, marked as a test; needs a token with the scope write'),
};
export const TEST_EVENT_BODY = named(
  'EventTestRequest',
  z.union([z.strictObject({ event: MADE, ...TEST }), z.strictObject({ id: EVENT_PATH.shape.id, ...TEST }).describe('a stored event')]),
);
