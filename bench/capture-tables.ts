import { Client } from 'pg';
import { runMigrations } from '../src/database/migrator';
import { applyCapture, planCapture } from '../src/change-log/capture/capture';

/** `none`: no trigger. `outbox`: the trigger that an engineer would write. `ours`: captured. */
export const KINDS = ['none', 'outbox', 'ours'] as const;
export type TableKind = (typeof KINDS)[number];

/** What is measured for each kind. */
export type PerKind<T> = Readonly<Record<TableKind, T>>;

export const COLUMNS =
  'id bigint primary key, customer uuid not null, status text not null, total numeric(12,2) not null, placed_at timestamptz not null, note text';

/** What an engineer writes by hand: who, what and both images, in the same transaction; no filter, no masks, no wake-up, no order. */
export const OUTBOX = `
  create table public.outbox (
    position bigint generated always as identity primary key,
    id uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    aggregate_type text not null,
    aggregate_id text not null,
    event_type text not null,
    payload json,
    before json);
  create function public.to_outbox() returns trigger language plpgsql as $$
  begin
    if tg_op = 'INSERT' then
      insert into public.outbox (aggregate_type, aggregate_id, event_type, payload) values ('Order', new.id::text, 'created', row_to_json(new));
    elsif tg_op = 'UPDATE' then
      insert into public.outbox (aggregate_type, aggregate_id, event_type, payload, before)
      values ('Order', new.id::text, 'updated', row_to_json(new), row_to_json(old));
    else
      insert into public.outbox (aggregate_type, aggregate_id, event_type, before) values ('Order', old.id::text, 'deleted', row_to_json(old));
    end if;
    return null;
  end $$`;

/** Gives a database the three tables `public.none`, `public.outboxed` and `public.ours`, alike but for their triggers. */
export async function createTables(url: string): Promise<void> {
  await runMigrations(url);
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (const kind of KINDS) await client.query(`create table ${tableOf(kind)} (${COLUMNS})`);
    await client.query(OUTBOX);
    await client.query(
      `create trigger to_outbox after insert or update or delete on ${tableOf('outbox')} for each row execute function public.to_outbox()`,
    );
    const capture = {
      table: tableOf('ours'),
      entity: 'Order',
      key: null,
      before: true,
      tenant: null,
      include: null,
      exclude: [],
      mask: {},
      when: null,
      strict: false,
    };
    await applyCapture(client, await planCapture(client, [capture]));
  } finally {
    await client.end();
  }
}

export function tableOf(kind: TableKind): string {
  return `public.orders_${kind}`;
}
