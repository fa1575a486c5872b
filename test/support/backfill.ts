import type { Client } from 'pg';
import { connect, disconnect } from '../../src/database/postgres';
import { SystemClock } from '../../src/event/clock';
import type { CaptureDefinition, EndpointDefinition, ObserverDefinition } from '../../src/event/definitions';
import type { Envelope } from '../../src/event/envelope';
import { openBackfill } from '../../src/backfill/open';
import { BackfillRun, type BackfillEvents, type BackfillOptions, type BackfillResult } from '../../src/backfill/run';
import { countRows, findTarget, type BackfillTarget } from '../../src/backfill/target';
import { captureOf, type TestDatabase } from './database';
import { givenStream, type Given } from './fixture';
import { startReceiver, type Receiver } from './receiver';
import { endpointOf, observerOf } from './stream';

export interface TestBackfill extends Partial<Omit<BackfillOptions, 'events'>>, Partial<BackfillEvents> {
  readonly table: string;
  readonly observers?: readonly string[];
  readonly where?: string | null;
  readonly capture?: Partial<CaptureDefinition>;
  readonly again?: boolean;
  /** Another role's. */
  readonly url?: string;
  /** What the server says besides. */
  readonly onNotice?: (message: string) => void;
}

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Observers of everything, which nobody runs. */
export const bystanders = (names: readonly string[]): ObserverDefinition[] =>
  names.map((name) => observerOf(name, endpointOf('http://127.0.0.1:9/x')));

export async function targetOf(
  client: Client,
  { table, observers = ['crm'], where = null, capture = {} }: TestBackfill,
): Promise<BackfillTarget> {
  return findTarget(client, { table, observers, where }, { captures: [captureOf(table, capture)], observers: bystanders(observers) });
}

/** As the command does it, in this process. */
export async function runBackfill(database: TestDatabase, backfill: TestBackfill): Promise<BackfillResult> {
  const [client, reader] = [
    await connect(backfill.url ?? database.url, 'backfill'),
    await connect(backfill.url ?? database.url, 'backfill'),
  ];
  reader.on('notice', (notice) => backfill.onNotice?.(notice.message ?? ''));
  client.on('notice', (notice) => backfill.onNotice?.(`writer: ${notice.message}`));
  try {
    const target = await targetOf(reader, backfill);
    const { count } = await countRows(reader, target);
    const pause = backfill.sleep ?? sleep;
    const opened = await openBackfill(client, target.subject, { again: backfill.again ?? false, who: 'me', expected: count, sleep: pause });
    return await new BackfillRun({ writer: client, reader }, target, opened, {
      stream: 'main',
      who: 'me',
      rate: null,
      clock: new SystemClock(),
      interrupted: () => false,
      ...backfill,
      events: { onProgress: () => undefined, onWait: () => undefined, onVersion: () => Promise.resolve(), ...backfill },
      sleep: pause,
    }).run();
  } finally {
    await Promise.all([disconnect(client), disconnect(reader)]);
  }
}

export interface Logged {
  readonly number: string;
  readonly verb: string;
  readonly key: string | null;
  readonly data: string | null;
  readonly tenant: string | null;
  readonly metadata: Record<string, unknown> | null;
}

export interface Backfills {
  readonly given: Given<Receiver>;
  /** Starts observers, each with a path of its own. */
  readonly observe: (...observers: (Partial<ObserverDefinition> & { name: string })[]) => Promise<void>;
  readonly logged: () => Promise<Logged[]>;
  readonly backfilled: () => Promise<Logged[]>;
  readonly received: (name: string) => Envelope[];
}

/** A database without tables, a receiver, and what backfills leave in either. */
export function givenBackfills(): Backfills {
  const given = givenStream(() => Promise.resolve(), startReceiver);
  const observe: Backfills['observe'] = async (...observers) => {
    const at = (name: string): EndpointDefinition => endpointOf(`${given.receiver.url}/${name}`, { concurrency: 8 });
    await given.start(observers.map(({ name, ...rest }) => observerOf(name, at(name), rest)));
  };
  const logged = (): Promise<Logged[]> =>
    given.database.query<Logged & Record<string, unknown>>(
      `select pk_entity_change_log as number, modification_type as verb, object_key as key, object_data::text as data, tenant_id as tenant,
         extra_metadata as metadata from core.tb_entity_change_log order by 1`,
    );
  return {
    given,
    observe,
    logged,
    backfilled: async () => (await logged()).filter(({ verb }) => verb === 'BACKFILL'),
    received: (name) => given.receiver.requests.filter(({ path }) => path === `/${name}`).map(({ body }) => JSON.parse(body) as Envelope),
  };
}
