import type { ClientBase } from 'pg';
import type { HistoryFilter } from './facts.sql';

/** Where a word was found. */
export type FoundIn = 'entity' | 'event' | 'change' | 'data' | 'before' | 'error';

export interface FoundEvent {
  readonly change: number;
  readonly event: string;
  readonly entityType: string;
  readonly entityKey: string | null;
  readonly kind: string;
  /** RFC 3339. */
  readonly written: string;
  readonly foundIn: readonly FoundIn[];
  /** Around the first word that was found in a text; null when it was found in what is shown anyway. */
  readonly excerpt: string | null;
}

export interface SearchFilter extends HistoryFilter {
  /** Written then or later, RFC 3339. */
  readonly since: string | null;
}

export interface SearchPage {
  readonly found: readonly FoundEvent[];
  /** Changes that were looked at. */
  readonly looked: number;
  /** The last of them, and when it was written; null behind the last page. */
  readonly reached: { readonly change: number; readonly written: string } | null;
}

// Newest first by the primary key, page after page: the first hits come at once, and no index is needed that each write would pay for.
// Texts are read only of a page's rows, and only until something is found. Each word must be found somewhere.
// Quarantine and dead letters are found by the same number as attempts, by their indexes.
const ERRORS = (l: string): string => `
  select concat_ws(': ', e.error, e.message) as text from (
    select a.error, a.message from observers.attempt a where a.change_number = ${l}.change and a.error is not null
    union all select d.error, d.message from observers.dead_letter d where d.change_number = ${l}.change
    union all select q.reason, q.message from observers.quarantine q where q.change_number = ${l}.change) e`;

const PAGE = `
  with page as materialized (
    select pk_entity_change_log as change, id, object_type, coalesce(object_key, object_id::text) as object_key, modification_type, created_at,
           object_data, object_data_before
    from core.tb_entity_change_log l
    where pk_entity_change_log < $1 and ($4::text is null or object_type = $4) and ($5::text is null or coalesce(object_key, object_id::text) = $5)
      and ($6::text is null or lower(modification_type) = $6) and ($7::timestamptz is null or created_at >= $7)
    order by pk_entity_change_log desc limit $2
  ), hits as (
    select l.*, f.found_in, f.excerpt from page l
    cross join lateral (
      select bool_and(w.found_in is not null) as all_found, array_agg(distinct w.found_in) as found_in,
             (array_agg(w.excerpt order by w.number) filter (where w.excerpt is not null))[1] as excerpt
      from unnest($3::text[]) with ordinality as u(word, number)
      cross join lateral (
        select u.number, case
          when concat_ws(' ', l.object_type, l.object_key) ilike pattern then 'entity'
          when l.id::text ilike pattern then 'event'
          when l.change::text = u.word then 'change'
          when l.object_data::text ilike pattern then 'data'
          when l.object_data_before::text ilike pattern then 'before'
          when exists (select from (${ERRORS('l')}) e where e.text ilike pattern) then 'error' end as found_in, pattern
        from (select '%' || regexp_replace(u.word, '([\\\\%_])', '\\\\\\1', 'g') || '%' as pattern) p
      ) f
      cross join lateral (
        select f.number, f.found_in, case f.found_in when 'data' then l.object_data::text when 'before' then l.object_data_before::text
          when 'error' then (select e.text from (${ERRORS('l')}) e where e.text ilike f.pattern limit 1) end as text
      ) t
      cross join lateral (
        select t.number, t.found_in,
               substr(t.text, greatest(1, strpos(lower(t.text), lower(u.word)) - 40), 80 + length(u.word)) as excerpt
      ) w
    ) f
    where f.all_found
  )
  select p.looked, p.reached, h.change::float8 as change, h.id as event, h.object_type as "entityType", h.object_key as "entityKey",
         lower(h.modification_type) as kind, to_json(h.created_at) #>> '{}' as written, h.found_in as "foundIn", h.excerpt
  from (select count(*)::int as looked,
               (select json_build_object('change', change, 'written', created_at) from page order by change limit 1) as reached from page) p
  left join hits h on true order by h.change desc`;

type Row = FoundEvent & Pick<SearchPage, 'looked' | 'reached'>;

/** Looks at the next `rows` changes below `below`. @param words each must be found; a text that holds them, in any case */
export async function searchPage(
  client: ClientBase,
  words: readonly string[],
  { entityType, entityKey, kind, since }: SearchFilter,
  below: number,
  rows: number,
): Promise<SearchPage> {
  const { rows: found } = await client.query<Row>(PAGE, [below, rows, words, entityType, entityKey, kind, since]);
  const { looked = 0, reached = null } = found[0] ?? {};
  const hits = found.filter(({ change }) => (change as number | null) !== null);
  return { found: hits.map(foundOf), looked, reached: looked < rows ? null : reached };
}

function foundOf({ change, event, entityType, entityKey, kind, written, foundIn, excerpt }: Row): FoundEvent {
  return { change, event, entityType, entityKey, kind, written, foundIn, excerpt };
}
