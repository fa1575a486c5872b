import type { ClientBase } from 'pg';
import type { FoundEvent, Reached, SearchFilter } from './audit-trail';

export interface SearchPage {
  readonly found: readonly FoundEvent[];
  /** Changes that were looked at. */
  readonly looked: number;
  /** The last of them, and when it was written; null behind the last page. */
  readonly reached: Reached | null;
}

// Newest first by the primary key, page after page: the first hits come at once, and no index is needed that every write would pay for.
// Case is folded for ASCII only (collate "C"), which is ten times faster than by a language's rules: 15 against 150 µs for 1.5 kB. Words with
// other letters come in several spellings.
const PAGE = `
  with page as materialized (
    select pk_entity_change_log as change, id, object_type, coalesce(object_key, object_id::text) as object_key, modification_type, created_at,
           object_data, object_data_before
    from core.tb_entity_change_log l
    where pk_entity_change_log < $1 and ($4::text is null or object_type = $4) and ($5::text is null or coalesce(object_key, object_id::text) = $5)
      and ($6::text is null or lower(modification_type) = $6) and ($7::timestamptz is null or created_at >= $7)
      and ($10::text[] is null or tenant_id::text = any ($10))
    order by pk_entity_change_log desc limit $2
  ), errors as materialized (
    select change, string_agg(distinct concat_ws(': ', error, message), E'\\n') as text from (
      select l.change, a.error, a.message from page l join observers.attempt a on a.change_number = l.change and a.error is not null
      union all select l.change, d.error, d.message from page l join observers.dead_letter d on d.change_number = l.change
      union all select l.change, q.reason, q.message from page l join observers.quarantine q on q.change_number = l.change) e
    group by change
  ), words as (
    select number, word, array_agg(pattern) as patterns
    from unnest($3::text[]) with ordinality as w(word, number) join unnest($8::int[], $9::text[]) as p(number, pattern) using (number)
    group by number, word
  ), hits as (
    select l.change, f.found_in, f.first from page l left join errors e on e.change = l.change
    cross join lateral (
      select bool_and(found_in is not null) as all_found, array_agg(distinct found_in) as found_in,
             (array_agg(word order by number) filter (where found_in in ('data', 'before', 'error')))[1] as first
      from (select number, word, case
          when concat_ws(' ', l.object_type, l.object_key) collate "C" ilike any (patterns) then 'entity'
          when l.id::text collate "C" ilike any (patterns) then 'event'
          when l.change::text = word then 'change'
          when l.object_data::text collate "C" ilike any (patterns) then 'data'
          when l.object_data_before::text collate "C" ilike any (patterns) then 'before'
          when e.text collate "C" ilike any (patterns) then 'error' end as found_in from words) w
    ) f
    where f.all_found
  ), shown as (
    select l.*, h.found_in, t.text, strpos(lower(t.text), lower(h.first)) as at, length(h.first) as long
    from hits h join page l on l.change = h.change left join errors e on e.change = h.change
    left join lateral (
      select text from (values (1, l.object_data::text), (2, l.object_data_before::text), (3, e.text)) as t(number, text)
      where strpos(lower(text), lower(h.first)) > 0 order by number limit 1) t on true
  )
  select p.looked, p.reached, s.change::float8 as change, s.id as event, observers.shown(s.object_type) as "entityType", observers.shown(s.object_key) as "entityKey",
         observers.shown(lower(s.modification_type)) as kind, to_json(s.created_at) #>> '{}' as written, s.found_in as "foundIn",
         s.at > 31 as cut, observers.shown(substr(s.text, greatest(1, s.at - 30), s.long + 60)) as excerpt
  from (select count(*)::int as looked,
               (select json_build_object('change', change, 'written', created_at) from page order by change limit 1) as reached from page) p
  left join shown s on true order by s.change desc`;

/** An ellipsis, where the text goes on before what is shown. */
const BEFORE = String.fromCharCode(0x2026);

/** A word's spellings, as patterns of ILIKE. */
function patternsOf(word: string): string[] {
  const plain = [...word].every((letter) => letter.charCodeAt(0) < 128);
  const capital = word.charAt(0).toUpperCase() + word.slice(1).toLowerCase();
  const spellings = plain ? [word] : [...new Set([word, word.toLowerCase(), word.toUpperCase(), capital])];
  return spellings.map((spelling) => `%${spelling.replace(/[\\%_]/g, '\\$&')}%`);
}

type Row = FoundEvent & Pick<SearchPage, 'looked' | 'reached'> & { readonly cut: boolean | null };

/** Looks at the next `rows` changes below `below`. @param words each must be found; a text that holds them, in any case */
export async function searchPage(
  client: ClientBase,
  words: readonly string[],
  { entityType, entityKey, kind, since, tenants = null }: SearchFilter,
  below: number,
  rows: number,
): Promise<SearchPage> {
  // Not as JSON: a character that the database's encoding lacks is an error in it, and as a text merely not found.
  const patterns = words.flatMap((word, i) => patternsOf(word).map((pattern) => ({ number: i + 1, pattern })));
  const asked = [patterns.map(({ number }) => number), patterns.map(({ pattern }) => pattern)];
  const { rows: found } = await client.query<Row>(PAGE, [below, rows, words, entityType, entityKey, kind, since, ...asked, tenants]);
  const { looked = 0, reached = null } = found[0] ?? {};
  const hits = found.filter(({ change }) => (change as number | null) !== null);
  return { found: hits.map(foundOf), looked, reached: looked < rows ? null : reached };
}

function foundOf({ change, event, entityType, entityKey, kind, written, foundIn, excerpt, cut }: Row): FoundEvent {
  const text = cut === true ? `${BEFORE}${excerpt}` : excerpt;
  return { change, event, entityType, entityKey, kind, written, foundIn, excerpt: text };
}
