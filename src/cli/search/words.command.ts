import { Option, SubCommand } from 'nest-commander';
import { EVENT_KINDS } from '../../event/entity-event';
import { OperatorError } from '../../event/errors';
import { toTheSecond } from '../../event/clock';
import {
  COUNTED_BY,
  type CountResult,
  type CountedBy,
  type FoundEvent,
  type SearchFilter,
  type SearchResult,
} from '../../search/audit-trail';
import { ObserversCommand, type GlobalOptions } from '../command';
import { refuseUnknownNames } from '../known-names';
import { onServices } from '../modules';
import { shortTime } from '../dlq/item';
import { BREAK, colors, counted, cut, print, printJson, printTable } from '../output';
import { parseMoment, wholeNumber } from '../values';

interface SearchFlags extends GlobalOptions {
  readonly entityType?: string;
  readonly entityKey?: string;
  readonly kind?: string;
  readonly tenant?: string;
  readonly since?: string;
  readonly until?: string;
  readonly observer?: string;
  readonly action?: string;
  readonly outcome?: string;
  readonly error?: string;
  readonly oldest?: boolean;
  readonly behind?: number;
  readonly countBy?: CountedBy;
  readonly limit?: number;
  readonly timeout?: number;
}

const LIMIT = 20;
const MOST = 1_000;
const TIMEOUT = 10_000;

@SubCommand({
  name: 'words',
  arguments: '[words...]',
  description: 'what `search WORDS` does: events by words, in entity, event id, change number, data, and what came of them; newest first',
  options: { isDefault: true },
})
export class SearchWordsCommand extends ObserversCommand {
  protected readonly examples = [
    ['events that hold a text', 'search ada@example.com'],
    ['each word must be found, somewhere', 'search 42 timeout --entity-type Order'],
    ['a text of several words', 'search "connection refused" --since 2h'],
    ['by what came of them, without a word', 'search --observer billing --outcome dead'],
    ['how many tries, by error', 'search --since 24h --count-by error'],
  ] as const;

  @Option({ flags: '--entity-type <type>', description: 'only this type of entity' })
  parseEntityType(value: string): string {
    return value;
  }

  @Option({ flags: '--entity-key <key>', description: 'only this entity' })
  parseEntityKey(value: string): string {
    return value;
  }

  @Option({ flags: '--kind <kind>', description: 'only these', choices: [...EVENT_KINDS] })
  parseKind(value: string): string {
    return value;
  }

  @Option({ flags: '--tenant <tenant>', description: 'only of this tenant' })
  parseTenant(value: string): string {
    return value;
  }

  @Option({ flags: '--since <time>', description: 'written then or later: 2026-01-31T10:00Z, or 2h for two hours ago' })
  parseSince(value: string): string {
    return parseMoment('--since', value);
  }

  @Option({ flags: '--until <time>', description: 'written before then' })
  parseUntil(value: string): string {
    return parseMoment('--until', value);
  }

  @Option({ flags: '--observer <name>', description: 'with a try of this observer; with the next three: one that is all of it' })
  parseObserver(value: string): string {
    return value;
  }

  @Option({ flags: '--action <name>', description: 'with a try of this action' })
  parseAction(value: string): string {
    return value;
  }

  @Option({ flags: '--outcome <outcome>', description: 'with a try that came to this', choices: ['succeeded', 'skipped', 'retry', 'dead'] })
  parseOutcome(value: string): string {
    return value;
  }

  @Option({ flags: '--error <error>', description: 'with a try that failed with this: timeout, http_status …' })
  parseError(value: string): string {
    return value;
  }

  @Option({ flags: '--oldest', description: 'the oldest first' })
  parseOldest(): boolean {
    return true;
  }

  @Option({ flags: '--behind <change>', description: 'go on behind this change, the last one of the page before' })
  parseBehind(value: string): number {
    return wholeNumber('--behind', value);
  }

  @Option({
    flags: '--count-by <what>',
    description: 'the tries instead of the events, counted',
    choices: [...COUNTED_BY],
  })
  parseCountBy(value: string): CountedBy {
    return value as CountedBy;
  }

  @Option({ flags: '--limit <count>', description: `at most so many (default: ${LIMIT})` })
  parseLimit(value: string): number {
    return Math.min(MOST, Math.max(1, wholeNumber('--limit', value)));
  }

  @Option({ flags: '--timeout <seconds>', description: `for so long (default: ${TIMEOUT / 1_000})` })
  parseTimeout(value: string): number {
    return Math.min(3_600, Math.max(1, wholeNumber('--timeout', value))) * 1_000;
  }

  async run(args: string[], flags: SearchFlags): Promise<void> {
    const { SearchModule } = await import('../../search/search.module');
    const { AuditTrail } = await import('../../search/audit-trail');
    const words = args.map((word) => word.trim()).filter((word) => word !== '');
    const filter = filterOf(flags);
    if (words.length === 0 && flags.countBy === undefined && isOpen(filter))
      throw new OperatorError('no word to search for, and no filter', 'For example: fraiseql-observers search ada@example.com');
    const { limit = LIMIT, timeout = TIMEOUT, countBy: by, behind = null } = flags;
    const order = flags.oldest === true ? 'oldest' : 'newest';
    if (by !== undefined) {
      const result = await onServices(flags, [SearchModule], (get) => get(AuditTrail).count({ words, filter, timeout, by }));
      if (result.counts.length === 0) await refuseUnknownNames(flags);
      return flags.format === 'json' ? printJson(result) : printCounts(result, by);
    }
    const request = { words, filter, limit, timeout, order, behind } as const;
    const result = await onServices(flags, [SearchModule], (get) => get(AuditTrail).search(request));
    if (result.found.length === 0) await refuseUnknownNames(flags);
    if (flags.format === 'json') return printJson({ ...result, note: MASKED });
    if (result.found.length > 0) printFound(result.found);
    for (const line of summary(result, limit, timeout, order)) print(line);
  }
}

function filterOf(flags: SearchFlags): SearchFilter {
  const { entityType = null, entityKey = null, kind = null, since = null, until = null, tenant } = flags;
  const { observer = null, action = null, outcome = null, error = null } = flags;
  const tried = { observer, action, outcome, error };
  return { entityType, entityKey, kind, since, until, tenants: tenant === undefined ? null : [tenant], tried };
}

function isOpen({ tried, ...filter }: SearchFilter): boolean {
  const all: Readonly<Record<string, unknown>> = { ...filter, ...tried };
  return Object.values(all).every((value) => value === null);
}

const MASKED = 'masked and excluded columns are not stored, and cannot be found';

function printCounts({ counts, ended }: CountResult, by: CountedBy): void {
  if (counts.length === 0) print('no try');
  else printTable([by, 'tries'], counts.map(({ value, count }) => [value, count])); // prettier-ignore
  if (ended === 'time')
    print(colors.yellow('The time was up: not all are counted. Narrow it down (--since), or give it longer (--timeout)'));
}

function printFound(found: readonly FoundEvent[]): void {
  printTable(
    ['change', 'written', 'event', 'entity', 'kind', 'found in'],
    found.map(({ change, written, event, entityType, entityKey, kind, foundIn, excerpt }) => [
      change, shortTime(written), event, `${entityType} ${entityKey ?? ''}`, kind, excerpt === null ? foundIn.join(', ') : `${foundIn.join(', ')}: ${cut(excerpt, 80)}`,
    ]), // prettier-ignore
  );
}

function summary({ found, ended, looked, reached }: SearchResult, limit: number, timeout: number, order: 'newest' | 'oldest'): string[] {
  const lines = [found.length === 0 ? `nothing found in ${counted(looked, 'change')}` : `${BREAK}${counted(found.length, 'event')}`];
  if (ended === 'limit') lines[0] += `: the ${order}; there may be more (--limit ${limit * 5}, or --behind ${found.at(-1)?.change})`;
  if (ended === 'time') {
    const place = reached === null ? 'before any was looked at' : `at change ${reached.change}, written ${toTheSecond(reached.written)}`;
    const rest = order === 'newest' ? 'older' : 'newer';
    lines.push(colors.yellow(`The ${timeout / 1_000} s were up ${place}: ${rest} changes were not looked at. Narrow it down (--entity-type, --since), or give it longer (--timeout)`)); // prettier-ignore
  }
  lines.push(colors.dim(`${MASKED[0]?.toUpperCase()}${MASKED.slice(1)}. Why something was, or was not, sent: debug-event --event-id ID`));
  return lines;
}
