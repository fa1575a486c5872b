import type { Client } from 'pg';
import { CHANGE_LOG_INDEXES } from '../../migrations/0002-change-log-indexes';
import type { Settings } from '../config/settings';
import { rightsOfSession, toBecome } from '../database/grants';
import { listMigrations } from '../database/migrator';
import { quoteLiteral } from '../database/names';
import { KNOWN_MIGRATIONS, NewerSchema, readApplied } from '../database/schema-state';
import { isLogAdopted } from '../delivery/retention.sql';
import { shellWord } from '../event/shell-word';
import { planRoles } from '../database/roles/plan';
import { readStatus, unaccountedOf, type StreamStatus } from '../status/status.sql';
import type { CaptureDefinition } from '../event/definitions';
import { counted } from '../event/counted';
import { messageOf } from '../event/errors';
import { toTheSecond } from '../event/clock';
import { planCapture } from '../change-log/capture/capture';
import { encryptionFindings } from './encryption';
import { ok, problem, unknown, warning, type Finding } from './finding';
import { readBloat, readBrokenIndexes, readHoldups, readOldestChange, readServer, type Holdup } from './server.sql';
import { pooler, serverFindings, skew } from './server-findings';

/** A transaction that is open longer holds back the horizon, in milliseconds. */
const LONG_TRANSACTION = 60_000;
const DEAD_ROWS = 10_000;
const LAG_SECONDS = 60;
/** A search index is told once a second; what it has not been told for so long is a backlog. */
const SEARCH_LAG_SECONDS = 600;

export interface Patient {
  readonly client: Client;
  readonly url: string;
  readonly settings: Settings;
  /** Whether this process takes every certificate. */
  readonly unverified?: boolean;
  /** Tables that the observers file captures; null when the file cannot be read here. */
  readonly captures: readonly CaptureDefinition[] | null;
}

type Check = (patient: Patient) => Promise<Finding[]>;

/** Everything that is known to go wrong between the service and its database. A check that fails itself is told, and the others go on. */
export async function examine(patient: Patient): Promise<Finding[]> {
  const findings: Finding[] = [];
  const run = async (checks: Readonly<Record<string, Check>>, because?: string): Promise<void> => {
    for (const [name, check] of Object.entries(checks)) {
      try {
        findings.push(...(await check(patient)));
      } catch (error) {
        findings.push(unknown(name, because ?? messageOf(error)));
      }
    }
  };
  await run(ANYWHERE);
  const schema = await schemaOf(patient.client);
  if (schema === 'none') findings.push(...Object.keys(PREPARED).map((name) => unknown(name, `not looked at: ${NOT_PREPARED}`)));
  else
    await run(PREPARED, schema === 'other' ? 'cannot be looked at: the schema is that of another release (migrations, above)' : undefined);
  return findings;
}

const NOT_PREPARED = 'the database is not prepared yet';

/** `other`: of another release, and what is asked may not be there. */
async function schemaOf(client: Client): Promise<'none' | 'other' | 'ours'> {
  const applied = await readApplied(client).catch(() => null);
  if (applied === null) return 'ours';
  if (applied.size === 0) return 'none';
  return applied.size === KNOWN_MIGRATIONS.length && KNOWN_MIGRATIONS.every((name) => applied.has(name)) ? 'ours' : 'other';
}

/** What can be looked at in any database. */
const ANYWHERE: Readonly<Record<string, Check>> = {
  server: async ({ client }) => {
    const asked = Date.now();
    const server = await readServer(client);
    return [...serverFindings(server), pooler(client, server), skew(server.now - (asked + Date.now()) / 2)];
  },
  tls: ({ client, settings, unverified = false }) => Promise.resolve(encryptionFindings(client, settings, unverified)),
  migrations: async ({ url }) => {
    const migrations = await listMigrations(url).catch((error: unknown) => newerSchema(error));
    if (!Array.isArray(migrations)) return [migrations];
    const pending = migrations.filter(({ applied }) => !applied);
    if (pending.length === 0) return [ok('migrations', 'all are applied')];
    const what =
      pending.length === migrations.length
        ? `${NOT_PREPARED}: none has been applied`
        : `pending: ${pending.map(({ name }) => name).join(', ')}`;
    return [problem('migrations', what, 'fraiseql-observers migrate')];
  },
};

/** What a migration has made. */
const PREPARED: Readonly<Record<string, Check>> = {
  grants: async ({ client }) => {
    const { role, as } = await rightsOfSession(client);
    const { excess, sql } = await planRoles(client);
    // A function that is given to a role which may not record fails the writes that run it.
    const first = sql.length === 0 ? '' : 'fraiseql-observers roles apply, then ';
    const own = as.includes('observers_service')
      ? ok('grants', `the role ${role} may run the service`)
      : as.includes('observers_reader')
        ? warning('grants', `the role ${role} may ${as.includes('observers_operator') ? 'operate' : 'look'}, and not run the service`, await toBecome(client, 'observers_service', role)) // prettier-ignore
        : problem('grants', `the role ${role} lacks rights`, `fraiseql-observers roles apply, then grant observers_service to ${client.escapeIdentifier(role)}`); // prettier-ignore
    return [own, ...excess.map(({ what, repair }) => warning('roles', what, `${first}${repair}`))];
  },
  capture: async ({ client, captures }) => {
    if (captures === null) return [unknown('capture', 'the observers file cannot be read here, so the triggers are not compared with it')];
    const open = (await planCapture(client, captures)).filter(({ state }) => state !== 'current');
    if (open.length === 0)
      return [ok('capture', `the triggers of ${counted(captures.length, 'table')} are what the observers file asks for`)];
    return open.map(({ table, state, reasons, sql }) => {
      const message = `${table}: ${reasons.join('; ')}`;
      if (state === 'unwanted') return warning('capture', message, `fraiseql-observers capture remove ${shellWord(table)}`);
      return problem('capture', message, sql.length === 0 ? 'see: fraiseql-observers capture check' : 'fraiseql-observers capture apply');
    });
  },
  indexes: async ({ client }) => {
    const broken = await readBrokenIndexes(client, Object.keys(CHANGE_LOG_INDEXES));
    if (broken.length === 0) return [ok('indexes', "the change log's are there and valid")];
    return broken.map(({ name, valid }) => valid === null
      ? problem('indexes', `core.${name} is missing`, CHANGE_LOG_INDEXES[name as keyof typeof CHANGE_LOG_INDEXES])
      : problem('indexes', `core.${name} is invalid: it was not built to its end`, `reindex index concurrently core.${name}`)); // prettier-ignore
  },
  stream: async ({ client, settings }) => {
    const { leader, lag, checkpointAgeSeconds, gone, pausedObservers, listeners, search } = await readStatus(client, settings.stream);
    const leads = leader !== null && leader.alive;
    return [
      leads
        ? ok('leader', `${leader.holder} leads, ${listeners.filter(({ alive }) => alive).length} alive`)
        : problem('leader', `no service leads stream "${settings.stream}"`, 'fraiseql-observers start'),
      lagFinding(checkpointAgeSeconds, lag),
      ...listeners.filter(({ alive }) => alive).flatMap(({ id, redis }) => redis.filter(({ up }) => !up).map(({ use, since, reason }) => warning('redis', `${id} gets no answer from Redis for ${use} since ${toTheSecond(since)}, and goes on without: ${reason ?? ''}`, 'docs/redis.md'))), // prettier-ignore
      ...gone.map(({ endpoint }) => warning('endpoint', `${endpoint} has answered 410 and is asked no more`, `fraiseql-observers dlq list --endpoint ${shellWord(endpoint)}, then dlq retry ID`)), // prettier-ignore
      ...pausedObservers.map(({ observer, since, by }) => warning('paused', `${observer} is paused since ${toTheSecond(since)} by ${by}`, `fraiseql-observers observers resume ${shellWord(observer)}`)), // prettier-ignore
      ...searchFindings(search, settings.searchIndex),
    ];
  },
  audit: async ({ client, settings }) => {
    const { audit } = await readStatus(client, settings.stream);
    return [auditFinding(audit, settings.auditInterval)];
  },
  transactions: async ({ client }) => {
    const holdups = await readHoldups(client, LONG_TRANSACTION);
    if (holdups.length === 0) return [ok('transactions', 'none has been open for more than a minute')];
    return holdups.map(describeHoldup);
  },
  retention: async ({ client, settings }) => {
    const kept = settings.retentionLog ?? ((await isLogAdopted(client)) ? null : settings.retention);
    if (kept === null) return [ok('retention', 'the change log was there before, and nothing of it is removed (OBSERVERS_RETENTION_LOG)')];
    const oldest = await readOldestChange(client);
    if (oldest === null || oldest.age < 2 * kept) return [ok('retention', oldest === null ? 'the change log is empty' : `the oldest change is of ${toTheSecond(oldest.written)}`)]; // prettier-ignore
    const { written, dead, quarantined } = oldest;
    const why =
      dead + quarantined > 0
        ? `${counted(dead, 'dead letter')} and ${counted(quarantined, 'quarantined change')} ${dead + quarantined === 1 ? 'keeps its own' : 'keep theirs'}`
        : 'a stream has not passed it, cutting does not keep up, or no service leads';
    return [warning('retention', `the oldest change is of ${toTheSecond(written)}, twice as old as is kept: ${why}`, dead + quarantined > 0 ? 'fraiseql-observers dlq stats, then dlq retry-all or dlq remove' : 'fraiseql-observers retention status')]; // prettier-ignore
  },
  bloat: async ({ client }) => {
    const tables = await readBloat(client, DEAD_ROWS);
    if (tables.length === 0) return [ok('bloat', 'no table of ours has more dead rows than live ones')];
    return tables.map(({ table, dead, live, vacuumed }) => warning('bloat', `${table} has ${dead} dead rows and ${counted(live, 'live one')}, last vacuumed ${vacuumed?.slice(0, 19) ?? 'never'}`, `vacuum (analyze) ${table}`)); // prettier-ignore
  },
};

/** @throws what is no finding */
function newerSchema(error: unknown): Finding {
  if (error instanceof NewerSchema) return problem('migrations', error.message, error.remedy);
  throw error;
}

function lagFinding(checkpointAge: number | null, { events, seconds }: { events: number; seconds: number }): Finding {
  if (checkpointAge === null) return unknown('lag', 'the stream has never been read');
  if (seconds <= LAG_SECONDS) return ok('lag', events === 0 ? 'none' : counted(events, 'event'));
  return warning('lag', `${counted(events, 'event')} behind, the oldest waits for ${Math.round(seconds)} s`, 'fraiseql-observers status');
}

/** Nothing where no index is kept. @param name the one that this process is configured for */
function searchFindings(search: StreamStatus['search'], name: string): Finding[] {
  if (search === null) return [];
  const { index, lagSeconds, parked, building, problem: why } = search;
  const lag = `${Math.round(lagSeconds)} s behind`;
  const list = 'fraiseql-observers search parked, then search parked --retry';
  const findings =
    why !== null
      ? [problem('search', `the index ${index} is ${lag}: ${why}`, 'docs/search.md; nothing is lost meanwhile')]
      : lagSeconds > SEARCH_LAG_SECONDS
        ? [warning('search', `the index ${index} is ${lag}`, 'fraiseql-observers status --watch')]
        : [ok('search', `the index ${index} is ${lag}${building ? ', and another is built beside it' : ''}`)];
  if (parked > 0) findings.push(warning('search', `Elasticsearch refuses ${counted(parked, 'document')} for good`, list));
  if (index !== name) findings.push(warning('search', `the leader keeps the index ${index}, and here OBSERVERS_SEARCH_INDEX is ${name}`, `OBSERVERS_SEARCH_INDEX=${index}`)); // prettier-ignore
  return findings;
}

function auditFinding(audit: StreamStatus['audit'], interval: number): Finding {
  const verify = 'fraiseql-observers audit verify';
  if (audit !== null && audit.unaccounted > 0)
    return problem(
      'audit',
      `${counted(audit.unaccounted, 'delivery', 'deliveries')} must be on record and ${audit.unaccounted === 1 ? 'is' : 'are'} not`,
      'fraiseql-observers audit list',
    );
  if (interval === 0) return warning('audit', 'OBSERVERS_AUDIT_INTERVAL is 0: nobody notices by itself when something is missing', verify);
  if (audit === null || audit.ageSeconds === null) return unknown('audit', 'the audit in the background has not been through yet');
  if (unaccountedOf(audit, interval) === null)
    return warning('audit', `nothing was missing ${Math.round(audit.ageSeconds)} s ago; since then nobody has looked`, verify);
  return ok('audit', `nothing is missing, as of ${Math.round(audit.ageSeconds)} s ago`);
}

function describeHoldup({ kind, name, user, seconds, query }: Holdup): Finding {
  const age = `for ${Math.round(seconds ?? 0)} s`;
  switch (kind) {
    case 'transaction':
      return warning(
        'transactions',
        `pid ${name} (${user}) has had a transaction open ${age}: ${query}`,
        `select pg_terminate_backend(${name})`,
      );
    case 'prepared':
      return warning('transactions', `the prepared transaction "${name}" (${user}) is open ${age}`, `commit prepared ${quoteLiteral(name)}, or rollback prepared ${quoteLiteral(name)}`); // prettier-ignore
    case 'slot':
      return warning(
        'transactions',
        `the replication slot ${name} is not used, and keeps dead rows`,
        `select pg_drop_replication_slot(${quoteLiteral(name)})`,
      );
  }
}
