import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deliveryId } from '../../src/event/delivery';
import type { DeadLetterFilter } from '../../src/redrive/dead-letters.sql';
import type { TestDatabase } from './database';
import { launch, MAIN, run, type Result, type Running } from './program';

/** Every dead letter. */
export const NO_FILTER: DeadLetterFilter = {
  observer: null,
  action: null,
  entityType: null,
  entityKey: null,
  error: null,
  endpoint: null,
  after: null,
  before: null,
};

/** The built program in a folder with an observers file, on a database of a test. */
export interface Program {
  run(args: readonly string[]): Promise<Result>;
  json<T>(args: readonly string[]): Promise<T>;
  launch(args: readonly string[], more?: Readonly<Record<string, string>>): Running;
  /** Runs a script with one argument and the observers file, in the same surroundings. */
  script(text: string, argument: string, more?: Readonly<Record<string, string>>): Promise<Result>;
  /** Writes another observers file, or one that stands beside it. */
  write(text: string, name?: string): void;
  remove(): void;
}

export function programOn(database: TestDatabase, file: string, env: Readonly<Record<string, string>> = {}): Program {
  const folder = mkdtempSync(join(tmpdir(), 'observers-redrive-'));
  const write = (text: string, name = 'observers.yaml'): void => writeFileSync(join(folder, name), text);
  write(file);
  const options = { cwd: folder, env: { PATH: process.env['PATH'], DATABASE_URL: database.url, ...env } };
  const program: Program = {
    run: (args) => run(process.execPath, [MAIN, ...args], options),
    json: async (args) => {
      const { out, err } = await program.run([...args, '--format', 'json']);
      if (out === '') throw new Error(err);
      return JSON.parse(out) as never;
    },
    launch: (args, more = {}) => launch(process.execPath, [MAIN, ...args], { ...options, env: { ...options.env, ...more } }),
    script: (text, argument, more = {}) =>
      run(process.execPath, ['-e', text, argument, join(folder, 'observers.yaml')], { ...options, env: { ...options.env, ...more } }),
    write,
    remove: () => rmSync(folder, { recursive: true }),
  };
  return program;
}

/** Every row of every table but that of tokens, with the transaction that wrote it: equal only when nothing at all was written in between. */
export async function fingerprint(database: TestDatabase): Promise<Record<string, string>> {
  const tables = await database.query<{ name: string }>(
    `select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'r' and n.nspname in ('core', 'observers', 'public')
       and c.oid <> 'observers.item_set'::regclass order by 1`,
  );
  const found: Record<string, string> = {};
  for (const { name } of tables) {
    const [row] = await database.query<{ hash: string }>(
      `select count(*) || ' ' || coalesce(md5(string_agg(t.xmin || ' ' || t.xmax || ' ' || t::text, E'\\n' order by t.ctid)), '') as hash from ${name} t`,
    );
    found[name] = row!.hash;
  }
  return found;
}

export interface MadeLetter {
  readonly observer?: string;
  readonly error?: string;
  readonly endpoint?: string;
  readonly entityType?: string;
  /** SQL. */
  readonly diedAt?: string;
}

/** Dead letters without a service, each of a change of its own, as if its endpoint had refused it. @returns their ids in the order of their changes */
export async function deadLetters(database: TestDatabase, count: number, letter: MadeLetter = {}): Promise<string[]> {
  const { observer = 'all', error = 'http_status', endpoint = 'hook', entityType = 'Order', diedAt = 'clock_timestamp()' } = letter;
  const changes = await database.query<{ number: string; id: string }>(
    `insert into core.tb_entity_change_log (object_type, object_key, modification_type, object_data)
     select $2, i::text, 'INSERT', json_build_object('id', i) from generate_series(1, $1) i returning pk_entity_change_log as number, id`,
    [count, entityType],
  );
  const ids = changes.map(({ id }) => deliveryId(id, observer, 'webhook'));
  await database.query(
    `insert into observers.dead_letter (id, change_number, event_id, observer, action, stream, endpoint, entity_type, entity_key, error, message, status,
                                        attempts, config_version, died_at)
     select u.id, l.pk_entity_change_log, l.id, $3, 'webhook', 'main', $4, l.object_type, l.object_key, $5, 'the receiver answered 400', 400, 1, 1, ${diedAt}
     from unnest($1::uuid[], $2::bigint[]) as u(id, number) join core.tb_entity_change_log l on l.pk_entity_change_log = u.number`,
    [ids, changes.map(({ number }) => number), observer, endpoint, error],
  );
  return ids;
}
