import type { Client } from 'pg';

// What a change found is what the one before it left, by the numbers of the changes; what the last one left is the row as it is committed.
const BROKEN = `
  with images as (
    select pk_entity_change_log as number, object_key as key, modification_type as kind,
      case when modification_type = 'DELETE' then null else object_data::jsonb end as image,
      case modification_type when 'INSERT' then null when 'DELETE' then coalesce(object_data_before, object_data)::jsonb else object_data_before::jsonb end as before
    from core.tb_entity_change_log where object_type = 'Account' and modification_type in ('INSERT', 'UPDATE', 'DELETE')
  ), chained as (
    select *, lag(image) over (partition by key order by number) as left_by from images
  ), last as (
    select distinct on (key) number, key, image from images order by key, number desc
  )
  select key || ' change ' || number || ' ' || kind as what from chained where before is distinct from left_by
  union all
  select coalesce(l.key, a.id::text) || ' as committed' from last l full join account a on a.id::text = l.key where l.image is distinct from to_jsonb(a)`;

/** Where the chain of images of an account is broken. */
export async function brokenChains(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ what: string }>(BROKEN);
  return rows.map(({ what }) => what);
}
