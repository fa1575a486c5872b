import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import type { EmbeddedPostgres } from '../src/database/embedded/embedded-postgres';
import { Child, postgresCpu } from './children';

export const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 8);
export const BACKLOG = 20_000;
/** Of a day that is over. */
const OLD_EVENTS = Number(process.env['BENCH_OLD'] ?? 400_000);
/** When the leader first looks for what is old, in milliseconds, and for how long that is watched. */
const FIRST_ROUND = 60_000;
const RETENTION_SECONDS = 40;
/** Of a machine that cannot bear so many. */
const RATE = Number(process.env['BENCH_RATE'] ?? 1_000);
export const LARGE_BACKLOG = Number(process.env['BENCH_LARGE'] ?? 1_000_000);
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

export type Kind = 'bare' | 'service';
interface Usage {
  readonly cpu: NodeJS.CpuUsage;
  readonly rss: number;
}

const TABLE = 'create table public.orders (id bigint generated always as identity primary key, status text, total numeric, note text)';
// What the bare loop's application would do: an outbox row by trigger, in the same transaction.
const OUTBOX = `
  create table public.outbox (id bigint generated always as identity primary key, event uuid not null default gen_random_uuid(), body text, sent_at timestamptz);
  create index outbox_open on public.outbox (id) where sent_at is null;
  create function public.to_outbox() returns trigger language plpgsql as $$ begin
    insert into public.outbox (body) values (json_build_object('data', row_to_json(new))::text); return null; end $$;
  create trigger to_outbox after insert on public.orders for each row execute function public.to_outbox()`;

const fileOf = (observers: readonly string[]): string => `version: 1
capture:
  - { table: public.orders, entity: Order }
endpoints:
  sink: { url: "\${SINK}", signing: { secrets: ["${SECRET}"] }, allow_addresses: [loopback], concurrency: 32 }
observers:
${observers.join('\n')}
`;
const OBSERVERS = fileOf([
  `  - { name: orders, entity: Order, when: "status = 'new' AND total > 100", actions: [{ type: webhook, endpoint: sink }] }`,
]);
const ENDPOINTS = 20;

const NINE_DAYS_AGO = "(now() at time zone 'UTC')::date - 9";
/** Changes with images of 1 kB that the stream has passed, and the attempts of them. */
const OLD_DAY = [
  `do $$ declare day date := ${NINE_DAYS_AGO}; begin execute format('create table observers.%I partition of observers.attempt for values from (%L) to (%L)',
     'attempt_' || to_char(day, 'YYYYMMDD'), day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00'); end $$`,
  `insert into core.tb_entity_change_log (object_type, object_key, modification_type, object_data, created_at)
   select 'Old', i::text, 'INSERT', json_build_object('id', i, 'note', repeat('x', 900)), (${NINE_DAYS_AGO} + time '12:00') at time zone 'UTC' from generate_series(1, ${OLD_EVENTS}) i`,
  `insert into observers.attempt (change_number, observer, action, attempt, outcome, duration_ms, finished_at, config_version)
   select pk_entity_change_log, 'orders', 'webhook', 1, 'succeeded', 1, created_at, 1 from core.tb_entity_change_log where object_type = 'Old'`,
  `insert into observers.checkpoint (stream, epoch, system_identifier, previous)
   values ('main', 1, (select system_identifier::text from pg_control_system()), pg_current_snapshot())
   on conflict (stream) do update set previous = excluded.previous, target = null, after = 0`,
];

/** What a measurement changes of the others' table and file. */
interface Setup {
  readonly table: string;
  readonly file: string;
}

/** Each measurement has a database and processes of its own. */
export class Bench {
  private databases = 0;

  constructor(
    private readonly folder: string,
    private readonly postgres: EmbeddedPostgres,
  ) {}

  /** Webhooks per second while eight writers write as fast as they can, and what an event costs. */
  async endToEnd(kind: Kind): Promise<{ rate: number; postgres: number; node: number }> {
    return this.withTarget(kind, [], async ({ url, receiver, worker }) => {
      const [before, pg] = [await worker.ask<Usage>('usage'), postgresCpu(this.postgres.pid)];
      const writers = Child.start('writers', [url, '8', String(SECONDS)]);
      const { seconds } = await writers.next<{ seconds: number }>();
      const { count } = await receiver.ask<{ count: number }>('count');
      const [after, pgAfter] = [await worker.ask<Usage>('usage'), postgresCpu(this.postgres.pid)];
      await writers.end();
      return { rate: count / seconds, postgres: ((pgAfter - pg) * 1e6) / count, node: (cpuOf(after) - cpuOf(before)) / count };
    });
  }

  /** Webhooks per second from a standing start with a backlog, first to last. */
  async drain(kind: Kind): Promise<number> {
    return this.withTarget(
      kind,
      [`insert into orders (status, total, note) select 'new', 250, repeat('x', 900) from generate_series(1, ${BACKLOG})`],
      async ({ receiver, since }) => {
        await waitForCount(receiver, 1);
        const begin = performance.now();
        await waitForCount(receiver, BACKLOG);
        void since;
        return BACKLOG / ((performance.now() - begin) / 1_000);
      },
    );
  }

  /** Milliseconds from the return of COMMIT to the arrival, at 200 events a second. */
  async latency(kind: Kind): Promise<{ p50: number; p99: number }> {
    return this.withTarget(
      kind,
      [],
      async ({ url, receiver }) => {
        const warmUp = Child.start('writers', [url, '4', '2', '200']);
        await warmUp.next();
        const writers = Child.start('writers', [url, '4', String(SECONDS), '200']);
        const { commits } = await writers.next<{ commits: [number, number][] }>();
        await new Promise((resolve) => setTimeout(resolve, 500));
        const { arrivals } = await receiver.ask<{ arrivals: [number, number][] }>('arrivals');
        const arrived = new Map(arrivals);
        const times = commits.map(([id, at]) => (arrived.get(id) ?? Infinity) - at).sort((a, b) => a - b);
        return { p50: times[Math.floor(times.length * 0.5)] ?? NaN, p99: times[Math.floor(times.length * 0.99)] ?? NaN };
      },
      'latency',
    );
  }

  /** The same, of the half of twenty endpoints that is healthy, while the other half hangs or does not. */
  async latencyBeside(hanging: boolean): Promise<{ p50: number; p99: number }> {
    const observers = Array.from({ length: ENDPOINTS }, (_, i) => {
      const path = i < ENDPOINTS / 2 ? `works${i}` : hanging ? `hangs${i}` : `idle${i}`;
      return `  - { name: o${i}, entity: Order, when: "shard = ${i}", actions: [{ type: webhook, url: "\${SINK}/${path}", allow_addresses: [loopback] }] }`;
    });
    const setup = { table: TABLE.replace(')', `, shard int generated always as (id % ${ENDPOINTS}) stored)`), file: fileOf(observers) };
    return this.waits('latency', setup, 200, (id) => id % ENDPOINTS < ENDPOINTS / 2);
  }

  /** Milliseconds from the return of COMMIT to the last answer, of so many actions that take 100 ms each. */
  async latencyOfActions(count: number): Promise<{ p50: number; p99: number }> {
    const actions = Array.from({ length: count }, (_, i) => `{ name: a${i}, type: webhook, endpoint: sink }`);
    const file = fileOf([`  - { name: o, entity: Order, actions: [${actions.join(', ')}] }`]);
    return this.waits('slow', { table: TABLE, file }, 50, () => true);
  }

  private waits(mode: string, setup: Setup, rate: number, counts: (id: number) => boolean): Promise<{ p50: number; p99: number }> {
    return this.withTarget(
      'service',
      [],
      async ({ url, receiver }) => {
        const warmUp = Child.start('writers', [url, '4', '2', String(rate)]);
        await warmUp.next();
        const writers = Child.start('writers', [url, '4', String(SECONDS), String(rate)]);
        const { commits } = await writers.next<{ commits: [number, number][] }>();
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        const { arrivals } = await receiver.ask<{ arrivals: [number, number][] }>('arrivals');
        const last = new Map<number, number>();
        for (const [id, at] of arrivals) last.set(id, Math.max(at, last.get(id) ?? 0));
        const times = commits
          .filter(([id]) => counts(id))
          .map(([id, at]) => (last.get(id) ?? Infinity) - at)
          .sort((a, b) => a - b);
        return { p50: times[Math.floor(times.length * 0.5)] ?? NaN, p99: times[Math.floor(times.length * 0.99)] ?? NaN };
      },
      mode,
      setup,
    );
  }

  /**
   * Milliseconds from the return of COMMIT to the arrival, beside a day that is over for a week. The leader drops its attempts
   * and cuts its changes meanwhile, or keeps them. @returns also how many changes were cut
   */
  async retention(removes: boolean): Promise<{ p50: number; p99: number; cut: number }> {
    return this.withTarget(
      'service',
      OLD_DAY,
      async ({ url, receiver, since }) => {
        await new Promise((resolve) => setTimeout(resolve, FIRST_ROUND - 4_000 - (performance.now() - since)));
        const warmUp = Child.start('writers', [url, '4', '3', String(RATE)]);
        await warmUp.next();
        const writers = Child.start('writers', [url, '4', String(RETENTION_SECONDS), String(RATE)]);
        const { commits } = await writers.next<{ commits: [number, number][] }>();
        // What a machine that is too slow has left over comes late, and counts.
        for (let waited = 0; waited < 60 && (await receiver.ask<{ count: number }>('count')).count < commits.length + 2.5 * RATE; waited++)
          await new Promise((resolve) => setTimeout(resolve, 500));
        const { arrivals } = await receiver.ask<{ arrivals: [number, number][] }>('arrivals');
        const arrived = new Map(arrivals);
        const times = commits.map(([id, at]) => (arrived.get(id) ?? Infinity) - at).sort((a, b) => a - b);
        const old = await this.count(url, "core.tb_entity_change_log where object_type = 'Old'");
        return {
          p50: times[Math.floor(times.length * 0.5)] ?? NaN,
          p99: times[Math.floor(times.length * 0.99)] ?? NaN,
          cut: OLD_EVENTS - old,
        };
      },
      'latency',
      { table: TABLE, file: `${OBSERVERS}settings: { retention: ${removes ? '7d' : '90d'} }\n` },
    );
  }

  /** Commits per second of eight writers: without a trigger, and with the capture but nobody reading. */
  async writers(captured: boolean): Promise<number> {
    const url = await this.database([TABLE]);
    if (captured) {
      const service = await this.service(url, 'http://127.0.0.1:9/');
      await service.end();
    }
    const writers = Child.start('writers', [url, '8', String(SECONDS)]);
    const { written, seconds } = await writers.next<{ written: number; seconds: number }>();
    await writers.end();
    return written / seconds;
  }

  /** Peak memory of the service while it works on a large backlog. */
  async memory(): Promise<number> {
    const rows = `insert into orders (status, total, note) select 'new', 250, repeat('x', 900) from generate_series(1, ${LARGE_BACKLOG})`;
    return this.withTarget('service', [rows], async ({ worker }) => {
      await new Promise((resolve) => setTimeout(resolve, SECONDS * 2_000));
      return (await worker.ask<Usage>('usage')).rss;
    });
  }

  private async withTarget<T>(
    kind: Kind,
    backlog: readonly string[],
    measure: (parts: { url: string; receiver: Child; worker: Child; since: number }) => Promise<T>,
    mode = 'count',
    { table, file }: Setup = { table: TABLE, file: OBSERVERS },
  ): Promise<T> {
    const receiver = Child.start('receiver', [mode]);
    const { port } = await receiver.next<{ port: number }>();
    const target = `http://127.0.0.1:${port}/hook`;
    const url = await this.database(kind === 'bare' ? [table, OUTBOX] : [table]);
    if (kind === 'service' && backlog.length > 0) await (await this.service(url, target, file)).end();
    await this.run(url, [...backlog, ...(backlog.length > 0 ? ['vacuum analyze'] : [])]);
    const since = performance.now();
    const worker = kind === 'bare' ? Child.start('bare-loop', [url, target]) : await this.service(url, target, file);
    try {
      return await measure({ url, receiver, worker, since });
    } finally {
      await worker.end();
      await receiver.end();
    }
  }

  private async service(url: string, target: string, text = OBSERVERS): Promise<Child> {
    const file = join(this.folder, 'observers.yaml');
    writeFileSync(file, text);
    const service = Child.start('service', [file], { DATABASE_URL: url, SINK: target, OBSERVERS_PORT: '0' });
    await service.next();
    return service;
  }

  private async database(statements: readonly string[]): Promise<string> {
    const name = `bench_${++this.databases}`;
    await this.run(this.postgres.url, [`create database ${name}`]);
    const url = this.postgres.url.replace(/[^/]*$/, name);
    await this.run(url, statements);
    return url;
  }

  private async count(url: string, rows: string): Promise<number> {
    const client = new Client({ connectionString: url });
    await client.connect();
    const { rows: found } = await client.query<{ count: number }>(`select count(*)::int as count from ${rows}`);
    await client.end();
    return found[0]?.count ?? NaN;
  }

  private async run(url: string, statements: readonly string[]): Promise<void> {
    const client = new Client({ connectionString: url });
    await client.connect();
    for (const statement of statements) await client.query(statement);
    await client.end();
  }
}

function cpuOf({ cpu }: Usage): number {
  return cpu.user + cpu.system;
}

async function waitForCount(receiver: Child, wanted: number): Promise<void> {
  while ((await receiver.ask<{ count: number }>('count')).count < wanted) await new Promise((resolve) => setTimeout(resolve, 5));
}
