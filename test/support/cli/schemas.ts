import { z } from 'zod';
import { RETENTION, RETENTION_RUN } from '../../../src/admin/schema/retention';
import { captureFields, capturePlan, observer, problem, rolesPlan, setting, version } from './schemas/configuration';
import {
  bulk,
  details,
  group,
  item,
  itemSet,
  lane,
  laneRepair,
  paused,
  pending,
  replayed,
  restored,
  takenBack,
} from './schemas/deliveries';
import { answered, counted, explained, found, parkedDocument, tailed } from './schemas/explained';
import { auditWord, detail, finding, instance, listenerFields, metrics, series, status, statusFields } from './schemas/status';
import { audit, backfill, backfillDone, backfillFields, backfillPreview, checkpointShown, missing, reset } from './schemas/stream';
import { preview, testRun, testSample } from './schemas/trials';
import { count, kind, maybe, text, time } from './schemas/values';

// What `--format json` gives, by command. Each schema is held against the type of the program that it describes, so that a field that comes
// or goes does not compile, and against real outputs, strictly.

/** A new command comes here with the shape of its JSON; one that has none is left out. */
export const OUTPUTS: Readonly<Record<string, z.ZodType>> = {
  'validate-config': z.strictObject({ valid: z.boolean(), problems: z.array(problem), observers: z.array(observer).optional() }),
  'config list': z.array(setting),
  'config history': z.array(version),
  'config diff': z.strictObject({ from: text, to: text, same: z.boolean(), patch: text }),
  migrate: z.union([z.array(z.strictObject({ name: text, applied: z.boolean() })), z.strictObject({ applied: z.array(text) })]),
  'roles plan': rolesPlan,
  'capture plan': z.array(capturePlan),
  'capture list': z.array(z.strictObject(captureFields)),
  'capture check': z.strictObject({ current: z.boolean(), differences: z.array(capturePlan) }),
  status: z.union([status, z.strictObject({ ...statusFields, detail }), z.strictObject({ ...listenerFields, state: instance.nullable() })]),
  doctor: z.array(finding),
  'debug-event': z.union([explained, z.array(explained)]),
  why: answered,
  metrics: z.union([metrics, series, z.array(z.strictObject({ name: text, meaning: text }))]),
  'test-event': z.union([testRun, testSample]),
  'config preview': preview,
  tail: tailed,
  'search words': z.union([found, counted]),
  'search parked': z.union([z.array(parkedDocument), z.strictObject({ asked: count })]),
  'search reindex': z.strictObject({ generation: count }),
  'checkpoint show': checkpointShown,
  'checkpoint reset': reset,
  'audit verify': audit,
  'audit list': z.strictObject({ audit: auditWord, unaccounted: z.array(missing) }),
  'audit dismiss': z.strictObject({ dismissed: count }),
  replay: z.union([
    z.strictObject({
      events: count,
      count,
      unanswerable: count,
      unreadable: count,
      unknown: count,
      sample: z.array(replayed),
      delivered: z.strictObject({ count, first: time.nullable(), last: time.nullable() }),
      token: maybe,
    }),
    z.strictObject({ ...bulk, alreadyUnderWay: count }),
  ]),
  'backfill run': z.union([backfillPreview, backfillDone]),
  'backfill list': z.array(backfill),
  'backfill cancel': z.strictObject({ ...backfillFields, changed: z.boolean() }),
  'dlq list': z.array(item),
  'dlq show': details,
  'dlq retry': z.strictObject({
    id: z.uuid(),
    request: z.enum(['queued', 'resolved', 'already under way']),
    configVersion: z.enum(['current', 'original']),
    state: z.enum([
      'delivered', 'failed again', 'resolved before', 'taken back', 'under way', 'waits for its endpoint', 'waits for a service that leads',
    ]), // prettier-ignore
    result: z.strictObject({ delivered: z.boolean(), message: maybe }).nullable(),
  }),
  'dlq retry-all': z.union([
    itemSet,
    z.strictObject({ configVersion: z.enum(['current', 'original']), ...bulk, alreadyUnderWay: count, left: count }),
  ]),
  'dlq remove': z.union([
    itemSet,
    z.strictObject({ id: z.uuid(), result: z.enum(['discarded', 'already resolved']) }),
    z.strictObject({ discarded: count, alreadyUnderWay: count, running: count, left: count, remaining: count, interrupted: z.boolean() }),
  ]),
  'dlq cancel': takenBack,
  'dlq restore': restored,
  'dlq stats': z.strictObject({ count, oldest: time.nullable(), newest: time.nullable(), groups: z.array(group) }),
  'observers list': z.array(
    z.strictObject({
      name: text,
      entities: text,
      kinds: z.array(kind),
      columns: z.array(text).nullable(),
      ignoreUnchanged: z.boolean(),
      when: maybe,
      paused: paused.nullable(),
      pending: count,
      dead: count,
    }),
  ),
  'observers pause': z.strictObject({ observer: text, paused: z.literal(true), changed: z.boolean() }),
  'observers resume': z.strictObject({
    observer: text,
    paused: z.literal(false),
    changed: z.boolean(),
    waiting: count,
    parked: count,
    behind: count,
  }),
  'breakers list': z.array(z.strictObject({ name: text, state: z.enum(['open', 'half-open']), probeIn: z.number() })),
  'breakers reset': z.strictObject({
    name: text,
    state: z.literal('closed'),
    was: z.enum(['closed', 'open', 'half-open']),
    changed: z.boolean(),
  }),
  'operations list': z.array(
    z.strictObject({
      number: count,
      at: time,
      who: text,
      via: text,
      what: text,
      set: z.record(z.string(), z.unknown()),
      before: z.record(z.string(), z.unknown()).nullable(),
      after: z.record(z.string(), z.unknown()).nullable(),
    }),
  ),
  'retention status': RETENTION,
  'retention run': RETENTION_RUN,
  'pending list': z.strictObject({ items: z.array(pending), total: count }),
  'lanes list': z.array(lane),
  'lanes resume': z.strictObject({ resumed: count, paused: count, behind: count, left: count }),
  'lanes skip': laneRepair,
  'lanes dead-letter': laneRepair,
};

/** docs/cli.schema.json: one definition a command, such as `dlq-list`. */
export function jsonSchemas(): { $defs: Record<string, object> } {
  const $defs = Object.fromEntries(
    Object.entries(OUTPUTS).map(([command, schema]) => {
      const definition = z.toJSONSchema(schema);
      delete definition.$schema;
      return [definitionOf(command), local(definition, definitionOf(command))];
    }),
  );
  const head = { $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'What `--format json` of the commands gives' };
  return { ...head, $defs };
}

export function definitionOf(command: string): string {
  return command.replaceAll(' ', '-');
}

/** References of one schema's own, as they are within the whole document. */
function local(definition: object, name: string): object {
  return JSON.parse(JSON.stringify(definition).replaceAll('"$ref":"#', `"$ref":"#/$defs/${name}`)) as object;
}
