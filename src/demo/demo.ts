import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { basename, delimiter, dirname, join, relative } from 'node:path';
import type { Client } from 'pg';
import type { Logger } from 'pino';
import { NO_CUSTOM_ACTIONS } from '../actions/custom/custom-actions';
import { loadSettings, observersSource } from '../config/load';
import { runUntilSignal } from '../lifecycle/run-until-signal';
import { startEmbeddedPostgres } from '../database/embedded/embedded-postgres';
import { connect } from '../database/postgres';
import { startService } from '../lifecycle/start-service';
import { createLogger } from '../logging/logger';
import type { EventRun } from '../pipeline/event-run';
import { VERSION } from '../config/version';
import { DemoReceiver } from './demo-receiver';
import { Narrator } from './narrator';

/** The demo's observers file. It is written into the data folder, so that every command works on the running demo. */
const DEMO_FILE = `version: 1

capture:
  - { table: demo.orders, entity: Order }

endpoints:
  shop:
    url: \${DEMO_URL}/webhooks
    signing: { secrets: ["\${DEMO_SECRET}"] }
    allow_addresses: [loopback]
  flaky:
    url: \${DEMO_URL}/flaky
    signing: { secrets: ["\${DEMO_SECRET}"] }
    allow_addresses: [loopback]

observers:
  - name: order-shipped
    entity: Order
    on: [update]
    when: "status_changed_to('shipped') AND total > 100"
    actions: [{ type: webhook, endpoint: shop }]

  - name: express-order
    entity: Order
    when: "express = true"
    retry: { strategy: exponential, initial_delay: 400ms, max_delay: 5s, max_attempts: 6 }
    actions: [{ type: webhook, endpoint: flaky }]
`;

const DEMO_TABLE = `
  create schema if not exists demo;
  create table if not exists demo.orders (
    id      bigint generated always as identity primary key,
    status  text not null default 'new',
    total   numeric(12, 2) not null,
    express boolean not null default false
  )`;

const ORDER_EVERY = 600;
/** Every so many orders an express one, which goes to the flaky endpoint. */
const EXPRESS_EVERY = 4;

/** Shows one delivery from the row to the receiver, then goes on with a few orders a second until a signal ends it. */
export async function runDemo(env: Readonly<Record<string, string | undefined>>): Promise<void> {
  // The demo has a database and a file of its own; it never touches the ones the environment names.
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => name !== 'DATABASE_URL' && name !== 'OBSERVERS_CONFIG'));
  const { dataDir } = loadSettings({ env: { OBSERVERS_LOG_LEVEL: 'warn', ...own } });
  const logger = createLogger(env['OBSERVERS_LOG_LEVEL'] ?? 'warn', 'pretty');
  await runUntilSignal(logger, async (onFatal) => {
    const stops: (() => Promise<void>)[] = [];
    const stop = async (): Promise<void> => {
      for (let next = stops.pop(); next !== undefined; next = stops.pop()) await next();
    };
    try {
      await start({ dataDir, own, logger, onFatal }, stops);
    } catch (error) {
      await stop();
      throw error;
    }
    return { stop: () => stop().then(() => void process.stdout.write('\nstopped cleanly\n')) };
  });
}

interface DemoOptions {
  readonly dataDir: string;
  /** The environment without what the demo has of its own. */
  readonly own: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  readonly onFatal: (error: unknown) => void;
}

/** Receiver → PostgreSQL → the shop's table → service → the first order, told step by step → the shop opens. */
async function start({ dataDir, own, logger, onFatal }: DemoOptions, stops: (() => Promise<void>)[]): Promise<void> {
  const narrator = new Narrator();
  narrator.header(VERSION, relative(process.cwd(), dataDir) || dataDir);
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  const receiver = new DemoReceiver(secret, (arrival) => narrator.arrived(arrival));
  const receiverUrl = await receiver.listen();
  stops.push(() => receiver.close());

  const postgres = await startEmbeddedPostgres({ dataDir });
  stops.push(() => postgres.stop());
  const client = await connect(postgres.url, 'demo shop');
  stops.push(() => client.end());
  await client.query(DEMO_TABLE);

  const configFile = join(dataDir, 'demo.yaml');
  writeFileSync(configFile, DEMO_FILE);
  const input = {
    env: { OBSERVERS_PORT: '0', ...own, DATABASE_URL: postgres.url, DEMO_URL: receiverUrl, DEMO_SECRET: secret },
    configFile,
  };
  const source = observersSource(input);
  const subscribers = [{ event: (run: EventRun): void => narrator.event(run) }];
  const service = await startService({
    configuration: source.load(),
    source,
    custom: NO_CUSTOM_ACTIONS,
    logger,
    applyCapture: true,
    strict: false,
    subscribers,
    onFatal,
  });
  stops.push(() => service.stop());

  const shop = new Shop(client, narrator);
  stops.push(() => shop.close());
  // Not waited for: a signal must end the demo also when no delivery comes.
  shop
    .firstOrder()
    .then(() => narrator.firstTold)
    .then(() => {
      narrator.commands(ownCommand(), postgres.url, service);
      shop.open();
    })
    .catch(onFatal);
}

/** What to type to run this program again, in this folder: its name where the shell finds it, which after npx it does not. */
function ownCommand(): string {
  const [, script = ''] = process.argv;
  const onPath = (process.env['PATH'] ?? '').split(delimiter).includes(dirname(script)) && process.env['npm_command'] === undefined;
  if (onPath) return basename(script);
  const shorter = [script, relative(process.cwd(), script)].sort((a, b) => a.length - b.length)[0] ?? script;
  return `node ${/^[\w./@+-]+$/.test(shorter) ? shorter : JSON.stringify(shorter)}`;
}

/** Writes orders as an application would: it knows nothing of observers. */
class Shop {
  private timer: NodeJS.Timeout | null = null;
  private writing: Promise<void> = Promise.resolve();
  private orders = 0;
  private closed = false;

  constructor(
    private readonly client: Client,
    private readonly narrator: Narrator,
  ) {}

  async firstOrder(): Promise<void> {
    const { rows } = await this.client.query<{ id: string }>('insert into demo.orders (total) values (250) returning id');
    const id = rows[0]?.id ?? '';
    this.narrator.wrote(id, `update demo.orders set status = 'shipped' where id = ${id}`);
    await this.ship(id);
  }

  open(): void {
    if (this.closed) return;
    this.timer = setInterval(() => {
      this.writing = this.writing.then(() => this.order()).catch(() => undefined);
    }, ORDER_EVERY);
  }

  async close(): Promise<void> {
    this.closed = true;
    if (this.timer !== null) clearInterval(this.timer);
    await this.writing;
  }

  private async order(): Promise<void> {
    const express = ++this.orders % EXPRESS_EVERY === 0;
    const { rows } = await this.client.query<{ id: string }>('insert into demo.orders (total, express) values ($1, $2) returning id', [
      (50 + Math.random() * 400).toFixed(2),
      express,
    ]);
    const id = rows[0]?.id ?? '';
    this.narrator.committedAt(id, performance.now());
    if (!express) await this.ship(id);
  }

  private async ship(id: string): Promise<void> {
    await this.client.query("update demo.orders set status = 'shipped' where id = $1", [id]);
    this.narrator.committedAt(id, performance.now());
  }
}
