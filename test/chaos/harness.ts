import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/database/embedded/embedded-postgres';
import { connect } from '../../src/database/postgres';
import { startReceiver, status, type Receiver } from '../support/receiver';
import { eventually, SECRET } from '../support/stream';
import { compare, type Verdict } from './verdict';
import { startWriters, type Writers } from './writers';

const MAIN = join(__dirname, '../../dist/src/main.js');

export interface ChaosOptions {
  /** `kill -9` of the service, at random moments. */
  readonly serviceKills: number;
  /** `kill -9` of the postmaster; it is started again at once. */
  readonly postgresKills: number;
  readonly seed: number;
}

const OBSERVERS = `version: 1
capture:
  - { table: public.account, entity: Account }
endpoints:
  sink: { url: "\${SINK_URL}", signing: { secrets: ["\${SINK_SECRET}"] }, allow_addresses: [loopback], concurrency: 16 }
observers:
  - { name: all, entity: Account, actions: [{ type: webhook, endpoint: sink }] }
`;

/** Runs writers, a service process and a receiver, kills at random, waits for quiet, and compares what was committed with what arrived. */
export async function runChaos(options: ChaosOptions): Promise<Verdict> {
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
  private readonly random: () => number;
  /** Milliseconds from each start of the service to the next request, and how many of them are still open. */
  private readonly recoveries: number[] = [];

  constructor(
    private readonly folder: string,
    private readonly options: ChaosOptions,
  ) {
    this.random = seeded(options.seed);
  }

  async setUp(): Promise<void> {
    this.postgres = await startEmbeddedPostgres({ dataDir: join(this.folder, 'data') });
    this.receiver = await startReceiver(status(204));
    writeFileSync(join(this.folder, 'observers.yaml'), OBSERVERS);
    const client = await connect(this.postgres.url, 'chaos');
    await client.query(`create table account (id int primary key, version int not null, filler text);
                        create table truth (id int, version int, kind text, primary key (id, version))`);
    await client.end();
    this.startService();
    await this.receiver.waitFor(0);
    // The capture triggers come with the service's start; nothing is written before they are there.
    await eventually(() => this.triggers(), (count) => count >= 4, 30_000); // prettier-ignore
    this.writers = startWriters(this.postgres.url, this.random);
  }

  async rage(): Promise<void> {
    const kills = shuffled(
      [...Array<string>(this.options.serviceKills).fill('service'), ...Array<string>(this.options.postgresKills).fill('postgres')],
      this.random,
    );
    for (const victim of kills) {
      await sleep(200 + this.random() * 1_300);
      if (victim === 'service') await this.killService();
      else await this.killPostgres();
    }
    await sleep(500);
  }

  async judge(): Promise<Verdict> {
    await this.writers.stop();
    const client = await connect(this.postgres.url, 'chaos');
    try {
      const { rows: truth } = await client.query<{ id: number; version: number; kind: string }>('select id, version, kind from truth');
      const arrived = (): number => new Set(this.receiver.requests.map(({ headers }) => headers['webhook-id'])).size;
      await eventually(() => Promise.resolve(arrived()), (count) => count >= truth.length, 30_000).catch(() => undefined); // prettier-ignore
      await sleep(500);
      return compare(truth, this.receiver.requests, this.recoveries);
    } finally {
      await client.end();
    }
  }

  async tearDown(): Promise<void> {
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
      OBSERVERS_LOG_LEVEL: process.env['TEST_LOG'] ?? 'silent',
    };
    this.service = spawn(process.execPath, [MAIN, 'start', '--apply'], { cwd: this.folder, env, stdio: ['ignore', 'inherit', 'inherit'] });
  }

  private async killService(): Promise<void> {
    await this.end(this.service as ChildProcess, 'SIGKILL');
    const before = this.receiver.requests.length;
    const at = performance.now();
    this.startService();
    await this.receiver.waitFor(before + 1, 30_000);
    this.recoveries.push(performance.now() - at);
  }

  private async killPostgres(): Promise<void> {
    process.kill(this.postgres.pid, 'SIGKILL');
    await sleep(300);
    this.postgres = await startEmbeddedPostgres({ dataDir: join(this.folder, 'data'), port: this.postgres.port });
    const before = this.receiver.requests.length;
    const at = performance.now();
    await this.receiver.waitFor(before + 1, 30_000);
    this.recoveries.push(performance.now() - at);
  }

  private end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    return ended;
  }

  private async triggers(): Promise<number> {
    const client = await connect(this.postgres.url, 'chaos');
    const { rows } = await client.query<{ n: number }>("select count(*)::int as n from pg_trigger where tgname like 'observers_capture%'");
    await client.end();
    return rows[0]?.n ?? 0;
  }
}

// Chaos is about moments: here, and only here, time is let pass.
function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** mulberry32: the same moments for the same seed, as far as the machine allows. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items.map((item) => [random(), item] as const).sort(([a], [b]) => a - b).map(([, item]) => item); // prettier-ignore
}
