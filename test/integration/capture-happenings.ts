import type { CaptureDefinition } from '../../src/event/definitions';
import { captureOf } from '../support/database';

export const ORDERS = captureOf('public.orders');

export const CUSTOMERS = captureOf('public.customers', { entity: 'Customer' });

export interface Happening {
  readonly what: string;
  readonly before?: string;
  readonly captures?: readonly CaptureDefinition[];
  readonly happens: string;
  readonly table: string;
  readonly state: string;
  readonly reason: RegExp;
}

export const PARTITIONED = `create table public.visits (id int, at date, primary key (id, at)) partition by range (at);
  create table public.visits_25 partition of visits for values from ('2025-01-01') to ('2026-01-01')`;

export const VISITS = captureOf('public.visits', { entity: 'Visit' });

// Whatever makes writes go by unseen, or come under another entity.
export const HAPPENINGS: Happening[] = [
  {
    what: 'a trigger is disabled',
    happens: 'alter table orders disable trigger observers_capture_update',
    table: 'public.orders',
    state: 'drifted',
    reason: /is not ENABLE ALWAYS: writes go by unseen/,
  },
  {
    what: 'all triggers are disabled',
    happens: 'alter table orders disable trigger user',
    table: 'public.orders',
    state: 'drifted',
    reason: /writes go by unseen/,
  },
  {
    what: 'a trigger is enabled for sessions that are no replica only',
    happens: 'alter table orders enable trigger observers_capture_insert',
    table: 'public.orders',
    state: 'drifted',
    reason: /is not ENABLE ALWAYS/,
  },
  {
    what: 'a trigger is dropped',
    happens: 'drop trigger observers_capture_delete on orders',
    table: 'public.orders',
    state: 'drifted',
    reason: /has no trigger observers_capture_delete/,
  },
  { what: 'the table is dropped', happens: 'drop table orders', table: 'public.orders', state: 'impossible', reason: /no such table/ },
  {
    what: 'the table is dropped and made anew',
    happens: 'drop table orders; create table orders (id int primary key, status text)',
    table: 'public.orders',
    state: 'drifted',
    reason: /another table now/,
  },
  {
    what: 'the table is renamed',
    happens: 'alter table orders rename to orders_old',
    table: 'public.orders',
    state: 'impossible',
    reason: /is called public.orders_old now/,
  },
  {
    what: 'two tables are swapped',
    happens: 'alter table orders rename to orders_old; create table orders (like orders_old including all)',
    table: 'public.orders',
    state: 'drifted',
    reason: /the one that was captured is called public.orders_old/,
  },
  {
    what: 'a column is added',
    happens: 'alter table orders add column note text',
    table: 'public.orders',
    state: 'drifted',
    reason: /columns added since: note/,
  },
  {
    what: 'a column is renamed',
    happens: 'alter table orders rename column status to state',
    table: 'public.orders',
    state: 'drifted',
    reason: /columns gone since: status|columns added since: state/,
  },
  {
    what: 'a column that the file names is dropped',
    captures: [captureOf('public.orders', { mask: { status: 'hash' } })],
    happens: 'alter table orders drop column status',
    table: 'public.orders',
    state: 'impossible',
    reason: /no column status/,
  },
  {
    what: 'a trigger of somebody else comes',
    happens:
      "create function touch() returns trigger language plpgsql as 'begin return new; end'; create trigger zz before insert on orders for each row execute function touch()",
    table: 'public.orders',
    state: 'drifted',
    reason: /other triggers or foreign keys act on public.orders since it was captured/,
  },
  {
    what: 'a foreign key that acts comes',
    happens: 'create table lines (id int primary key, order_id int references orders on delete cascade)',
    table: 'public.orders',
    state: 'drifted',
    reason: /other triggers or foreign keys act on public.orders since it was captured/,
  },
  {
    what: 'a partition is made',
    before: PARTITIONED,
    captures: [VISITS],
    happens: "create table visits_26 partition of visits for values from ('2026-01-01') to ('2027-01-01')",
    table: 'public.visits',
    state: 'drifted',
    reason: /public.visits_26 has no trigger of the capture: what is written to it directly goes by unseen/,
  },
  {
    what: 'a table is attached as a partition',
    before: PARTITIONED,
    captures: [VISITS],
    happens:
      "create table visits_26 (id int not null, at date not null); alter table visits attach partition visits_26 for values from ('2026-01-01') to ('2027-01-01')",
    table: 'public.visits',
    state: 'drifted',
    reason: /public.visits_26 has no trigger/,
  },
  {
    what: 'a partition is detached',
    before: PARTITIONED,
    captures: [VISITS],
    happens: 'alter table visits detach partition visits_25',
    table: 'public.visits',
    state: 'drifted',
    reason: /public.visits_25 is no partition of public.visits any longer: its writes are not recorded/,
  },
  {
    what: 'the table becomes a subscribed one',
    happens:
      "create subscription drift_sub connection 'dbname=nowhere' publication nothing with (connect = false); insert into pg_subscription_rel (srsubid, srrelid, srsubstate) select s.oid, 'public.orders'::regclass, 'r' from pg_subscription s where subname = 'drift_sub'",
    table: 'public.orders',
    state: 'drifted',
    reason: /a subscription fills public.orders since it was captured/,
  },
];
