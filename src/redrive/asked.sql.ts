import type { ClientBase, Pool } from 'pg';

/** A delivery that a person has asked for; observer and action are null where a quarantined change is looked at again. */
export interface AskedDelivery {
  readonly changeNumber: string;
  readonly observer: string | null;
  readonly action: string | null;
}

/** `later`: it failed, and is tried again by the ordinary policy. */
export type Progressed = 'delivered' | 'failed' | 'under way' | 'later';

export interface AskedProgress {
  readonly is: Progressed;
  readonly message: string | null;
}

const PROGRESS = `
  select u.number::int as number, d.message,
    case when p.state = 'retrying' and p.next_attempt_at > clock_timestamp() then 'later' when p.state is not null or q.retry_at is not null then 'under way'
         when d.id is not null or q.change_number is not null then 'failed' else 'delivered' end as is
  from unnest($1::bigint[], $2::text[], $3::text[]) with ordinality as u(change_number, observer, action, number)
  left join observers.pending_delivery p on p.change_number = u.change_number and p.observer = u.observer and p.action = u.action
  left join observers.dead_letter d on d.change_number = u.change_number and d.observer = u.observer and d.action = u.action and d.resolved_at is null
  left join observers.quarantine q on q.change_number = u.change_number and q.resolved_at is null`;

/** What has become of each, in the order given. */
export async function readProgress(client: ClientBase | Pool, asked: readonly AskedDelivery[]): Promise<AskedProgress[]> {
  const columns = [asked.map((one) => one.changeNumber), asked.map((one) => one.observer), asked.map((one) => one.action)];
  const { rows } = await client.query<AskedProgress & { number: number }>(PROGRESS, columns);
  return rows.sort((a, b) => a.number - b.number);
}

/** Whether a service can be expected to make the tries. */
export async function isLed(client: ClientBase | Pool): Promise<boolean> {
  const { rowCount } = await client.query('select from observers.lease where expires_at > clock_timestamp() limit 1');
  return (rowCount ?? 0) > 0;
}
