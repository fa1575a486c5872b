import { Command, Option } from 'nest-commander';
import { EVENT_KINDS } from '../event/entity-event';
import { OperatorError } from '../event/errors';
import { toTheSecond } from '../event/clock';
import type { FoundEvent, SearchResult } from '../search/audit-trail';
import { ObserversCommand, type GlobalOptions } from './command';
import { refuseUnknownNames } from './known-names';
import { onServices } from './modules';
import { shortTime } from './dlq/item';
import { BREAK, colors, counted, cut, print, printJson, printTable } from './output';
import { parseMoment, wholeNumber } from './values';

interface SearchFlags extends GlobalOptions {
  readonly entityType?: string;
  readonly entityKey?: string;
  readonly kind?: string;
  readonly since?: string;
  readonly limit?: number;
  readonly timeout?: number;
}

const LIMIT = 20;
const MOST = 1_000;
const TIMEOUT = 10_000;

@Command({
  name: 'search',
  arguments: '<words...>',
  description: 'events by words: in entity, event id, change number, data, and the errors of tries and dead letters; newest first',
})
export class SearchCommand extends ObserversCommand {
  protected readonly examples = [
    ['events that hold a text', 'search ada@example.com'],
    ['each word must be found, somewhere', 'search 42 timeout --entity-type Order'],
    ['a text of several words', 'search "connection refused" --since 2h'],
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

  @Option({ flags: '--since <time>', description: 'written then or later: 2026-01-31T10:00Z, or 2h for two hours ago' })
  parseSince(value: string): string {
    return parseMoment('--since', value);
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
    const { SearchModule } = await import('../search/search.module');
    const { AuditTrail } = await import('../search/audit-trail');
    const words = args.map((word) => word.trim()).filter((word) => word !== '');
    if (words.length === 0) throw new OperatorError('no word to search for', 'For example: fraiseql-observers search ada@example.com');
    const { entityType = null, entityKey = null, kind = null, since = null, limit = LIMIT, timeout = TIMEOUT } = flags;
    const filter = { entityType, entityKey, kind, since };
    const result = await onServices(flags, [SearchModule], (get) => get(AuditTrail).search({ words, filter, limit, timeout }));
    if (result.found.length === 0) await refuseUnknownNames(flags);
    if (flags.format === 'json') return printJson({ ...result, note: MASKED });
    if (result.found.length > 0) printFound(result.found);
    for (const line of summary(result, limit, timeout)) print(line);
  }
}

const MASKED = 'masked and excluded columns are not stored, and cannot be found';

function printFound(found: readonly FoundEvent[]): void {
  printTable(
    ['change', 'written', 'event', 'entity', 'kind', 'found in'],
    found.map(({ change, written, event, entityType, entityKey, kind, foundIn, excerpt }) => [
      change, shortTime(written), event, `${entityType} ${entityKey ?? ''}`, kind, excerpt === null ? foundIn.join(', ') : `${foundIn.join(', ')}: ${cut(excerpt, 80)}`,
    ]), // prettier-ignore
  );
}

function summary({ found, ended, looked, reached }: SearchResult, limit: number, timeout: number): string[] {
  const lines = [found.length === 0 ? `nothing found in ${counted(looked, 'change')}` : `${BREAK}${counted(found.length, 'event')}`];
  if (ended === 'limit') lines[0] += `: the newest; there may be more (--limit ${limit * 5})`;
  if (ended === 'time') {
    const place = reached === null ? 'before any was looked at' : `at change ${reached.change}, written ${toTheSecond(reached.written)}`;
    lines.push(colors.yellow(`The ${timeout / 1_000} s were up ${place}: older changes were not looked at. Narrow it down (--entity-type, --since), or give it longer (--timeout)`)); // prettier-ignore
  }
  lines.push(colors.dim(`${MASKED[0]?.toUpperCase()}${MASKED.slice(1)}. Why something was, or was not, sent: debug-event --event-id ID`));
  return lines;
}
