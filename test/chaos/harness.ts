import { spawn, type ChildProcess } from 'node:child_process';
import type { ServerResponse } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from 'pg';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/database/embedded/embedded-postgres';
import { verify } from '../../src/audit/verify';
import { pauseObserver, resumeObserver } from '../../src/delivery/pauses.sql';
import { loadSettings, readDefinition } from '../../src/config/load';
import { messageOf } from '../../src/event/errors';
import { Versions } from '../../src/explain/versions';
import { startReceiver, type Received, type Receiver } from '../support/receiver';
import { testedPostgres } from '../support/postgres-version';
import { SECRET } from '../support/stream';
import { eventually, until } from '../support/until';
import { brokenChains } from './image-chain';
import { COLLAPSING, FEW, moodOf, NARROW, OBSERVERS, POLICIES } from './policies';
import { sleep, untilQuiet } from './quiet';
import { seeded, shuffled } from './random';
import { startSpinners } from './spinners';
import { whereItStands } from './where-it-stands';
import { compare, compareCollapsed, countCollapsed, type Change, type Verdict } from './verdict';
import { startWriters, type Writers } from './writers';
import { connectAsApplication } from '../support/database';

const MAIN = join(__dirname, '../../dist/src/main.js');

export interface ChaosOptions {
  /** `kill -9` of the service, at random moments. */
  readonly serviceKills: number;
  /** `kill -9` of the postmaster; it is started again at once. */
  readonly postgresKills: number;
  readonly seed: number;
  /** Processes that spin beside all this until the last kill. */
  readonly spinners: number;
}

/** Transactions for each kill, after which writers take their time. */
const PLENTY = 100;
/** The start of a process, in milliseconds, where others spin and more tests run; it needs 2 s of a core. */
const LONGEST_START = 240_000;
/** So long (ms) a delivery may hold the stream: short, so that kills find older ones. */
const INLINE_BUDGET = 300;

export interface ChaosVerdict {
  /** By observer: of what its receiver accepted. */
  readonly policies: Readonly<Record<string, Verdict>>;
  /** What is wrong with what stood for several changes. */
  readonly collapsed: readonly string[];
  /** Changes that the function was not called for, and those that it was called for more than once. */
  readonly calls: { readonly missing: number; readonly repeated: number };
  /** What `audit verify` says: all changes, and the deliveries that nothing is on record of. */
  readonly audit: { readonly changes: number; readonly unaccounted: number; readonly pending: number };
  /** What the audit in the background has ever called missing, over all kills. */
  readonly background: { readonly unaccounted: number };
  /** Where what a change found is not what the one before it left. */
  readonly brokenChains: readonly string[];
  /** Kills that found deliveries in PostgreSQL that were older than the inline budget. */
  readonly killsWithBacklog: number;
  /** Milliseconds from each restart to the next delivery. */
  readonly recoveries: readonly number[];
}

/** Runs writers, a service process and a receiver, kills at random, waits for quiet, and compares what was committed with what arrived. */
export async function runChaos(options: ChaosOptions): Promise<ChaosVerdict> {
  const folder = mkdtempSync(join(tmpdir(), 'observers-chaos-'));
  const chaos = new Chaos(folder, options);
  try {
    await chaos.setUp();
    await chaos.rage();
    return await chaos.judge();
  } finally {
    await chaos.tearDown();
    rmSync(folder, { recursive: true, force: true });
  }
}

class Chaos {
  private postgres!: EmbeddedPostgres;
  private receiver!: Receiver;
  private writers!: Writers;
  private service: ChildProcess | null = null;
  private paused = false;
  /** Whether narrow receivers keep their requests, and those that they keep. */
  private holding = false;
  private readonly kept: ServerResponse[] = [];
  private killsWithBacklog = 0;
  private stopSpinners: () => void = () => undefined;
  private reloads = 0;
  private readonly random: () => number;
  /** Milliseconds from each start of the service to the next request, and how many of them are still open. */
  private readonly recoveries: number[] = [];
  private readonly accepted = new Map<string, Received[]>([...POLICIES, COLLAPSING].map((name) => [name, []]));

  constructor(
    private readonly folder: string,
    private readonly options: ChaosOptions,
  ) {
    this.random = seeded(options.seed);
  }

  async setUp(): Promise<void> {
    this.postgres = await startEmbeddedPostgres({ dataDir: join(this.folder, 'data'), ...testedPostgres() });
    this.receiver = await startReceiver((request, response) => this.answer(request, response));
    this.writeFile();
    const client = await connectAsApplication(this.postgres.url, 'chaos');
    await client.query(`create table account (id int primary key, version int not null, filler text);
                        create table truth (id int, version int, kind text, primary key (id, version));
                        create table noted (event jsonb);
                        create function note(event jsonb) returns void language sql as 'insert into public.noted values (event)'`);
    await client.end();
    this.startService();
    await this.receiver.waitFor(0);
    // The capture triggers come with the service's start; nothing is written before they are there.
    await until(async () => (await this.triggers()) >= 4, 30_000);
    await until(async () => (await this.epoch()) > 0, 30_000);
    await this.rememberAlarms();
    this.writers = startWriters(this.postgres.url, this.random, PLENTY * (this.options.serviceKills + this.options.postgresKills));
  }

  async rage(): Promise<void> {
    const kills = shuffled(
      [...Array<string>(this.options.serviceKills).fill('service'), ...Array<string>(this.options.postgresKills).fill('postgres')],
      this.random,
    );
    this.stopSpinners = startSpinners(this.options.spinners);
    for (const victim of kills) {
      await sleep(this.random() * 500);
      this.holding = true;
      await sleep(200 + this.random() * 800);
      if (await this.hasBacklog()) this.killsWithBacklog++;
      await this.togglePause();
      this.reload();
      if (victim === 'service') await this.killService();
      else await this.killPostgres();
    }
    this.stopSpinners();
    await sleep(500);
    if (this.paused) await this.togglePause();
  }

  /** One observer is paused every other time, right before something dies. */
  private async togglePause(): Promise<void> {
    const client = await connectAsApplication(this.postgres.url, 'chaos');
    if (this.paused) await resumeObserver(client, 'main', 'held', 'test');
    else await pauseObserver(client, 'main', 'held', 'chaos', null);
    this.paused = !this.paused;
    await client.end();
  }

  /** Another limit each time, and an observer that comes and goes. */
  private writeFile(): void {
    const file = OBSERVERS.replaceAll('CONCURRENCY', String(16 + (this.reloads % 3) * 4));
    const guest = `  - { name: guest, entity: Account, when: "version > ${this.reloads}", actions: [{ type: log, level: debug }] }\n`;
    writeFileSync(join(this.folder, 'observers.yaml'), this.reloads % 2 === 0 ? file : file + guest);
  }

  private reload(): void {
    this.reloads++;
    this.writeFile();
    this.service?.kill('SIGHUP');
  }

  private answer(request: Received, response: ServerResponse): void {
    const [, name = ''] = /^\/sink\/(\w+)/.exec(request.path) ?? [];
    const { is, after } = moodOf(name, this.random, this.holding);
    if (is === 'accept' || is === 'hold') this.accepted.get(name)?.push(request);
    if (is === 'hold') this.kept.push(response);
    else if (is !== 'hang') setTimeout(() => response.writeHead(is === 'accept' ? 204 : 500).end(), after);
  }

  /** Whoever is dead does not get its answer any more. */
  private letGo(): void {
    this.holding = false;
    for (const response of this.kept.splice(0)) response.writeHead(204).end();
  }

  /** Until what is kept has been handed over, and something waits behind it. */
  private async hasBacklog(): Promise<boolean> {
    const client = await connectAsApplication(this.postgres.url, 'chaos');
    const states =
      "select distinct state from observers.pending_delivery where endpoint in ('single', 'narrow') and state in ('running', 'queued')";
    const ask = async (): Promise<number> => (await client.query(states)).rowCount ?? 0;
    const found = await eventually(ask, (count) => count === 2, 5_000).catch(() => 0);
    await client.end();
    return found > 0;
  }

  async judge(): Promise<ChaosVerdict> {
    await this.writers.stop();
    const client = await connectAsApplication(this.postgres.url, 'chaos');
    try {
      const { rows: truth } = await client.query<{ id: number; version: number; kind: string }>('select id, version, kind from truth');
      const meant = (name: string): Change[] => (NARROW.includes(name) ? truth.filter(({ id }) => id < FEW) : truth);
      const arrived = (name: string): number =>
        truth.length - meant(name).length + new Set(this.accepted.get(name)?.map(({ headers }) => headers['webhook-id'])).size;
      const calls = async (): Promise<{ all: number; different: number }> => {
        const { rows } = await client.query<{ all: number; different: number }>(
          "select count(*)::int as all, count(distinct event ->> 'id')::int as different from noted",
        );
        return rows[0] as { all: number; different: number };
      };
      const collapsed = this.accepted.get(COLLAPSING) ?? [];
      await untilQuiet(async () => [...POLICIES.map(arrived), countCollapsed(collapsed), (await calls()).different], truth.length);
      const { all, different } = await calls();
      const policies = Object.fromEntries(POLICIES.map((name) => [name, compare(meant(name), this.accepted.get(name) ?? [])]));
      const { changes, unaccounted, pending } = await this.audit(client);
      return {
        policies,
        collapsed: compareCollapsed(truth, collapsed),
        audit: { changes, unaccounted, pending },
        background: await this.background(client),
        calls: { missing: truth.length - different, repeated: all - different },
        brokenChains: await brokenChains(client),
        killsWithBacklog: this.killsWithBacklog,
        recoveries: this.recoveries,
      };
    } finally {
      await client.end();
    }
  }

  /** What was called missing and was found on record later would be gone from the table, and a false alarm all the same. */
  private async rememberAlarms(): Promise<void> {
    const client = await connectAsApplication(this.postgres.url, 'chaos');
    await client.query(`create table alarm (change_number bigint, observer text);
      create function remember() returns trigger language plpgsql as 'begin insert into public.alarm values (new.change_number, new.observer); return null; end';
      create trigger remember after insert on observers.unaccounted for each row execute function remember()`);
    await client.end();
  }

  /** Until it has accounted for everything that the stream has passed, and gone around once more. */
  private async background(client: Client): Promise<{ unaccounted: number }> {
    const place = `select a.previous::text = c.previous::text and a.target is null as through, a.patrolled = (select max(pk_entity_change_log) from core.tb_entity_change_log) as around
      from observers.audit a join observers.checkpoint c using (stream)`;
    const ask = async (): Promise<{ through: boolean; around: boolean } | undefined> =>
      (await client.query<{ through: boolean; around: boolean }>(place)).rows[0];
    await eventually(ask, (at) => at?.through === true && at.around, 120_000);
    const { rows } = await client.query<{ unaccounted: number }>('select count(*)::int as unaccounted from alarm');
    return { unaccounted: rows[0]?.unaccounted ?? -1 };
  }

  private audit(client: Client): ReturnType<typeof verify> {
    const input = { env: { DATABASE_URL: this.postgres.url }, configFile: join(this.folder, 'observers.yaml') };
    const settings = loadSettings({ env: input.env });
    const { stream, retention, maxEventSize } = settings;
    const versions = new Versions(client, (text) => readDefinition(input, settings, text));
    return verify(client, { stream, retention, maxEventSize, since: null }, versions);
  }

  async tearDown(): Promise<void> {
    this.stopSpinners();
    this.letGo();
    await this.writers?.stop();
    if (this.service !== null) await this.end(this.service, 'SIGTERM');
    await this.receiver?.close();
    await this.postgres?.stop();
  }

  private startService(): void {
    const env = {
      PATH: process.env['PATH'],
      DATABASE_URL: this.postgres.url,
      SINK_URL: `${this.receiver.url}/sink`,
      SINK_SECRET: SECRET,
      OBSERVERS_PORT: '0',
      OBSERVERS_INLINE_BUDGET: `${INLINE_BUDGET}ms`,
      // So often that every kill finds it in the middle of something.
      OBSERVERS_AUDIT_INTERVAL: '20ms',
      OBSERVERS_LOG_LEVEL: process.env['TEST_LOG'] ?? 'silent',
    };
    this.service = spawn(process.execPath, [MAIN, 'start', '--apply'], { cwd: this.folder, env, stdio: ['ignore', 'inherit', 'inherit'] });
  }

  private async killService(): Promise<void> {
    const epoch = await this.epoch();
    await this.end(this.service as ChildProcess, 'SIGKILL');
    this.letGo();
    this.startService();
    await this.recovered(epoch);
  }

  private async killPostgres(): Promise<void> {
    const epoch = await this.epoch();
    process.kill(this.postgres.pid, 'SIGKILL');
    this.letGo();
    await sleep(300);
    this.postgres = await startEmbeddedPostgres({ dataDir: join(this.folder, 'data'), port: this.postgres.port, ...testedPostgres() });
    await this.recovered(epoch);
  }

  /** The next term sends something. A request alone says nothing: one of the dead process may still arrive after its end. */
  private async recovered(epoch: number): Promise<void> {
    const at = performance.now();
    try {
      await until(async () => (await this.epoch()) > epoch, LONGEST_START);
      await this.receiver.waitFor(this.receiver.requests.length + 1, LONGEST_START);
    } catch (error) {
      throw new Error(`${messageOf(error)}; ${await whereItStands(this.postgres.url, this.service)}`, { cause: error });
    }
    this.recoveries.push(performance.now() - at);
  }

  private async epoch(): Promise<number> {
    const client = await connectAsApplication(this.postgres.url, 'chaos');
    const { rows } = await client.query<{ epoch: number }>('select epoch::int from observers.lease');
    await client.end();
    return rows[0]?.epoch ?? 0;
  }

  private end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    return ended;
  }

  private async triggers(): Promise<number> {
    const client = await connectAsApplication(this.postgres.url, 'chaos');
    const { rows } = await client.query<{ n: number }>("select count(*)::int as n from pg_trigger where tgname like 'observers_capture%'");
    await client.end();
    return rows[0]?.n ?? 0;
  }
}
