import { spawn, type ChildProcess } from 'node:child_process';
import type { ServerResponse } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from 'pg';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/database/embedded/embedded-postgres';
import { pauseObserver, resumeObserver } from '../../src/delivery/pauses.sql';
import { messageOf } from '../../src/event/errors';
import { startReceiver, type Received, type Receiver } from '../support/receiver';
import { testedPostgres } from '../support/postgres-version';
import { SECRET } from '../support/stream';
import { eventually, until } from '../support/until';
import { compareHostile, HOSTILE, HOSTILE_TABLES, startHostileWriter } from './hostile';
import { auditEverything, backgroundAudit, rememberAlarms } from './audits';
import { brokenChains } from './image-chain';
import { COLLAPSING, FEW, moodOf, NARROW, OBSERVERS, POLICIES } from './policies';
import { sleep, untilQuiet } from './quiet';
import { seeded, shuffled } from './random';
import { startSpinners } from './spinners';
import { whereItStands } from './where-it-stands';
import type { ChaosOptions, ChaosVerdict } from './chaos-verdict';
import { compare, compareCollapsed, countCollapsed, type Change } from './verdict';
import { startWriters, type Writers } from './writers';
import { connectAsApplication } from '../support/database';

const TABLES = `
  create table account (id int primary key, version int not null, filler text);
  create table truth (id int, version int, kind text, primary key (id, version));
  ${HOSTILE_TABLES};
  create table noted (event jsonb);
  create function note(event jsonb) returns void language sql as 'insert into public.noted values (event)'`;

const MAIN = join(__dirname, '../../dist/src/main.js');

/** Transactions for each kill, after which writers take their time. */
const PLENTY = 100;
/** The start of a process, in milliseconds, where others spin and more tests run; it needs 2 s of a core. */
const LONGEST_START = 120_000;
/** Of the service, in MiB. */
const HEAP = 512;
/** So long (ms) a delivery may hold the stream: short, so that kills find older ones. */
const INLINE_BUDGET = 300;

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
  private stopHostile: () => Promise<void> = () => Promise.resolve();
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
  private readonly accepted = new Map<string, Received[]>([...POLICIES, COLLAPSING, HOSTILE].map((name) => [name, []]));

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
    await this.withClient((client) => client.query(TABLES));
    this.startService();
    await this.receiver.waitFor(0);
    // The capture triggers come with the service's start; nothing is written before they are there.
    await until(async () => (await this.triggers()) >= 8, 30_000);
    await until(async () => (await this.epoch()) > 0, 30_000);
    await this.withClient(rememberAlarms);
    this.stopHostile = startHostileWriter(this.postgres.url);
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
    await this.withClient((client) =>
      this.paused ? resumeObserver(client, 'main', 'held', 'test') : pauseObserver(client, 'main', 'held', 'chaos', null),
    );
    this.paused = !this.paused;
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
    const states =
      "select distinct state from observers.pending_delivery where endpoint in ('single', 'narrow') and state in ('running', 'queued')";
    const found = await this.withClient((client) => {
      const ask = async (): Promise<number> => (await client.query(states)).rowCount ?? 0;
      return eventually(ask, (count) => count === 2, 5_000).catch(() => 0);
    });
    return found > 0;
  }

  async judge(): Promise<ChaosVerdict> {
    await this.writers.stop();
    await this.stopHostile();
    return this.withClient((client) => this.verdict(client));
  }

  private async verdict(client: Client): Promise<ChaosVerdict> {
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
    const arrivedHostile = this.accepted.get(HOSTILE) ?? [];
    await untilQuiet(async () => [...POLICIES.map(arrived), countCollapsed(collapsed), (await calls()).different], truth.length);
    await untilQuiet(async () => [-(await compareHostile(client, arrivedHostile)).lost.length], 0);
    const hostile = await compareHostile(client, arrivedHostile);
    const { all, different } = await calls();
    const policies = Object.fromEntries(POLICIES.map((name) => [name, compare(meant(name), this.accepted.get(name) ?? [])]));
    const { changes, unaccounted, pending } = await auditEverything(client, this.postgres.url, join(this.folder, 'observers.yaml'));
    return {
      policies,
      collapsed: compareCollapsed(truth, collapsed),
      hostile,
      quarantined: (await client.query<{ message: string }>('select message from observers.quarantine')).rows,
      audit: { changes: changes - hostile.committed, unaccounted, pending },
      background: await backgroundAudit(client),
      calls: { missing: truth.length - different, repeated: all - different },
      brokenChains: await brokenChains(client),
      killsWithBacklog: this.killsWithBacklog,
      recoveries: this.recoveries,
    };
  }

  async tearDown(): Promise<void> {
    this.stopSpinners();
    this.letGo();
    await this.writers?.stop();
    await this.stopHostile();
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
      NODE_OPTIONS: `--max-old-space-size=${HEAP}`,
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
    const { rows } = await this.withClient((client) => client.query<{ epoch: number }>('select epoch::int from observers.lease'));
    return rows[0]?.epoch ?? 0;
  }

  private end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    return ended;
  }

  private async triggers(): Promise<number> {
    const triggers = "select count(*)::int as n from pg_trigger where tgname like 'observers_capture%'";
    const { rows } = await this.withClient((client) => client.query<{ n: number }>(triggers));
    return rows[0]?.n ?? 0;
  }

  private async withClient<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const client = await connectAsApplication(this.postgres.url, 'chaos');
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }
}
