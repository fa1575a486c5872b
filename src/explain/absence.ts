import type { CapturePlan } from '../change-log/capture/capture';
import { didYouMean } from '../config/problems';
import { quoteIdentifier, quoteLiteral } from '../database/names';
import { toTheSecond } from '../event/clock';
import type { CaptureDefinition, ObserversDefinition } from '../event/definitions';
import { shellWord } from '../event/shell-word';
import type { StreamStatus } from '../status/status.sql';
import type { EntityFacts } from './entity.sql';
import { partsOfKey } from './key-spelling';
import { argument } from './next-command';

export const ABSENCES = [
  'unknown entity',
  'not running',
  'not captured',
  'capture differs',
  'capture impossible',
  'capture condition',
  'muted',
  'quarantined',
  'not committed',
  'before capture',
  'truncated',
  'removed',
  'other spelling',
  'no configuration',
] as const;

/** Why a change that somebody looks for is not there, or may not be. */
export interface Absence {
  readonly reason: (typeof ABSENCES)[number];
  /** It is so, as far as the database tells; otherwise it may be. */
  readonly certain: boolean;
  /** One sentence. */
  readonly why: string;
  /** The command that helps, behind the program's name; null where there is none. */
  readonly next: string | null;
}

export interface KeyColumn {
  readonly name: string;
  /** Its values are numbers, which SQL writes without quotes. */
  readonly numeric: boolean;
}

/** What absences are told by. */
export interface AbsenceBasis {
  readonly entity: string;
  readonly key: string;
  readonly observer: string | null;
  /** The configuration that runs, or before the first leader that of the file; null where neither can be read. */
  readonly definition: ObserversDefinition | null;
  /** Its version; null where it is the file. */
  readonly version: number | null;
  /** The file at hand. */
  readonly file: ObserversDefinition | null;
  readonly plans: readonly CapturePlan[];
  readonly facts: EntityFacts;
  readonly status: Pick<StreamStatus, 'oldestTransaction'>;
  /** A key of the entity that is written a little otherwise, and is in the log. */
  readonly spelling: string | null;
  /** Columns of the key, by table. */
  readonly keys: ReadonlyMap<string, readonly KeyColumn[]>;
  /** Milliseconds for which changes are kept, … */
  readonly retention: number;
  /** … and the setting that says so. */
  readonly setting: string;
}

/** Why there is nothing of the entity in the log: what is certain first. */
export function absencesOf(basis: AbsenceBasis): Absence[] {
  const all = [...ofTheLog(basis), ...ofThePast(basis), ...ofTheCapture(basis), ...ofTheSpelling(basis), ...ofMutes(basis)];
  const certain = all.filter((one) => one.certain);
  // Where it is plain why there is nothing, nothing else need be guessed.
  return certain.some(({ reason }) => ENOUGH.includes(reason)) ? certain : [...certain, ...all.filter((one) => !one.certain)];
}

const ENOUGH: readonly Absence['reason'][] = [
  'unknown entity',
  'not running',
  'not captured',
  'capture impossible',
  'other spelling',
  'removed',
];

/** Why changes may be missing behind those that are there. */
export function doubtsOf(basis: AbsenceBasis): Absence[] {
  const ofCapture = ofTheCapture(basis).filter(({ reason }) => reason === 'capture differs' || reason === 'capture impossible');
  return [
    ...ofCapture,
    ...ofMutes(basis).filter(({ certain }) => certain),
    ...ofTheLog(basis).filter(({ reason }) => reason !== 'not committed'),
  ];
}

function absence(reason: Absence['reason'], certain: boolean, why: string, next: string | null = null): Absence {
  return { reason, certain, why, next };
}

function ofTheSpelling({ entity, key, observer, spelling, facts, keys }: AbsenceBasis): Absence[] {
  if (spelling !== null)
    return [absence('other spelling', true, `the log has changes of ${entity} ${spelling}, and keys are compared as they are written`, whyCommand(entity, spelling, observer))]; // prettier-ignore
  const composite = [...keys.values()].find((columns) => columns.length > 1);
  const { newest } = facts;
  if (newest === null || shapeOf(newest.key) === shapeOf(key)) return [];
  const written = composite === undefined ? '' : `: a JSON array of ${composite.map(({ name }) => name).join(', ')}, as --key '["a", 1]'`;
  return [absence('other spelling', false, `keys of ${entity} are written as ${newest.key} is (change ${newest.change})${written}`)];
}

/** `9` for a number, `a-a` for two words: what two keys of one column have in common. */
function shapeOf(key: string): string {
  return key.replace(/\d+/g, '9').replace(/\p{L}+/gu, 'a');
}

function whyCommand(entity: string, key: string, observer: string | null): string {
  const narrowed = observer === null ? '' : ` ${argument('--observer', observer)}`;
  return `why ${argument('--entity', entity)} ${argument('--key', key)}${narrowed}`;
}

/** Entities that the file speaks of. */
function entitiesOf({ captures, observers }: ObserversDefinition): string[] {
  return [
    ...new Set([...captures.map(({ entity }) => entity), ...observers.flatMap(({ entities }) => (entities === '*' ? [] : entities))]),
  ];
}

function ofTheCapture(basis: AbsenceBasis): Absence[] {
  const { entity, definition, plans } = basis;
  if (definition === null)
    return [absence('no configuration', true, 'no service has led the stream, and there is no observers file at hand: what is captured is not known')]; // prettier-ignore
  const own = plans.filter((plan) => plan.entity === entity && plan.state !== 'unwanted');
  if (own.length === 0) return ofNoCapture(basis, definition);
  return own.flatMap((plan) => ofPlan(plan, definition));
}

function ofNoCapture({ entity, key, observer, version, file, plans, facts }: AbsenceBasis, definition: ObserversDefinition): Absence[] {
  const where = version === null ? 'the observers file' : `version ${version}, which runs,`;
  const inFile = version !== null && file !== null && file.captures.some((capture) => capture.entity === entity);
  if (inFile)
    return [absence('not running', true, `the observers file captures ${entity}, and version ${version}, which runs, does not: reload the service (SIGHUP or POST /reload)`, 'config diff')]; // prettier-ignore
  const unwanted = plans.find((plan) => plan.entity === entity && plan.state === 'unwanted');
  if (unwanted !== undefined) return [absence('not captured', true, `${unwanted.reasons.join('; ')}`, null)];
  const known = entitiesOf(definition);
  const table = definition.captures.find((capture) => isTable(capture, entity));
  if (table !== undefined)
    return [
      absence('unknown entity', true, `${entity} is a table; its rows are called ${table.entity}`, whyCommand(table.entity, key, observer)),
    ];
  if (known.includes(entity) || facts.newest !== null)
    return [absence('not captured', true, `${where} captures no table as ${entity}: only an application that writes the log itself records changes of it`)]; // prettier-ignore
  const near = nearestOf(entity, known);
  const names = known.length === 0 ? 'it names none' : `it has ${listed(known)}`;
  const suggested = near === null ? `; ${names}` : didYouMean(entity, known);
  return [
    absence(
      'unknown entity',
      true,
      `${where} knows no entity ${entity}${suggested}`,
      near === null ? null : whyCommand(near, key, observer),
    ),
  ];
}

/** The one that `didYouMean` would name. */
function nearestOf(written: string, known: readonly string[]): string | null {
  const same = known.find((one) => one.toLowerCase() === written.toLowerCase());
  return same ?? known.find((one) => didYouMean(written, known).includes(`"${one}"`)) ?? null;
}

function isTable({ table }: CaptureDefinition, written: string): boolean {
  const bare = (name: string): string => name.replaceAll('"', '').toLowerCase();
  return bare(table) === bare(written) || bare(table).split('.').at(-1) === bare(written);
}

const LISTED = 8;

function listed(names: readonly string[]): string {
  return names.length <= LISTED ? names.join(', ') : `${names.slice(0, LISTED).join(', ')} and ${names.length - LISTED} more`;
}

function ofPlan({ table, entity, state, reasons }: CapturePlan, { captures }: ObserversDefinition): Absence[] {
  const why = reasons.join('; ');
  if (state === 'missing') return [absence('not captured', true, `${table} has no triggers: its writes are not recorded`, 'capture apply')];
  if (state === 'drifted') return [absence('capture differs', true, `${table} is not captured as the file asks: ${why}`, 'capture apply')];
  if (state === 'impossible') return [absence('capture impossible', true, `${table} cannot be captured: ${why}`, 'capture check')];
  const conditions = captures.filter((capture) => capture.entity === entity && capture.when !== null && isTable(capture, table));
  return conditions.map(({ when }) =>
    absence(
      'capture condition',
      false,
      `the capture of ${table} records only rows for which (${(when ?? '').trim()}) holds: capture, when:`,
    ),
  );
}

function ofMutes({ facts }: AbsenceBasis): Absence[] {
  const found = facts.muted.map(({ role, database, setting }) => {
    const who = role === null ? (database === null ? 'every role' : `the database ${database}`) : `the role ${role}`;
    const target =
      role === null ? (database === null ? 'role all' : `database ${quoteIdentifier(database)}`) : `role ${quoteIdentifier(role)}`;
    const within = role !== null && database !== null ? ` in database ${quoteIdentifier(database)}` : '';
    return absence(
      'muted',
      true,
      `${who} has ${setting} = on: what is written so leaves no change (alter ${target}${within} reset ${setting})`,
    );
  });
  const may = 'the statement ran with observers.mute or fraiseql.cdc_mediated on, as bulk loads do: that leaves no trace';
  return [...found, absence('muted', false, may)];
}

function ofTheLog({ entity, key, facts, status }: AbsenceBasis): Absence[] {
  const { keyless } = facts;
  const quarantined =
    keyless.count === 1
      ? `a change without a key is in quarantine (${keyless.reason}): it may be of ${entity} ${key}`
      : `${keyless.count} changes without a key are in quarantine (the last one for ${keyless.reason}): some may be of ${entity} ${key}`;
  const open = status.oldestTransaction;
  return [
    ...(keyless.count === 0
      ? []
      : [absence('quarantined', false, quarantined, keyless.event === null ? 'dlq list' : `dlq show ${keyless.event}`)]),
    ...(open === null ? [] : [absence('not committed', false, `a transaction of ${open.user} (pid ${open.pid}) has been open for ${Math.round(open.seconds)} s: what it wrote is not there before it commits`)]), // prettier-ignore
  ];
}

const DAY = 86_400_000;

function ofThePast(basis: AbsenceBasis): Absence[] {
  const { facts, retention, setting } = basis;
  const { letters, truncated, captured, oldest } = facts;
  const kept = retention % DAY === 0 ? `${retention / DAY} d` : `${Math.round(retention / 1_000)} s`;
  const found: Absence[] = [];
  if (letters.count > 0)
    found.push(absence('removed', true, `its changes are removed: ${letters.count === 1 ? 'a dead letter' : `${letters.count} dead letters`} of it ${letters.count === 1 ? 'is' : 'are'} on record, the last of ${toTheSecond(letters.last ?? '')} (the log keeps ${kept}, ${setting})`)); // prettier-ignore
  if (truncated !== null)
    found.push(absence('truncated', false, `a TRUNCATE at ${toTheSecond(truncated.at)} removed all rows: that is one change, ${truncated.change}, and it has no key`, `debug-event --event-id ${truncated.change}`)); // prettier-ignore
  for (const { table, since } of captured)
    found.push(absence('before capture', false, `it was written before ${table} was captured as it is, at ${toTheSecond(since)}: a row that was there is no change`, backfillOf(basis, table))); // prettier-ignore
  if (letters.count === 0 && oldest !== null && oldest.change > 1)
    found.push(absence('removed', false, `it is older than the log: that keeps ${kept} (${setting}), and begins with change ${oldest.change}, of ${toTheSecond(oldest.at)}`)); // prettier-ignore
  return found;
}

/** Sends the row as it is to who is asked for, or to the first that takes this entity. */
function backfillOf({ definition, entity, key, observer, keys }: AbsenceBasis, table: string): string | null {
  const takers = (definition?.observers ?? []).filter(({ entities }) => entities === '*' || entities.includes(entity));
  const taker = observer ?? takers[0]?.name;
  const columns = keys.get(table);
  if (taker === undefined || columns === undefined) return null;
  const parts = columns.length === 1 ? [key] : partsOfKey(key);
  // A key that is no number is none of a column of numbers.
  if (parts.length !== columns.length || columns.some(({ numeric }, i) => numeric && !/^-?\d+(\.\d+)?$/.test(parts[i] ?? ''))) return null;
  const literal = (part: string, numeric: boolean): string => (numeric ? part : quoteLiteral(part).trim());
  const where = columns.map(({ name, numeric }, i) => `${quoteIdentifier(name)} = ${literal(parts[i] ?? '', numeric)}`).join(' and ');
  return `backfill run ${shellWord(table)} ${argument('--observer', taker)} --where ${shellWord(where)} --dry-run`;
}
