import { Command, Option, SubCommand } from 'nest-commander';
import type { SearchIndex } from '../../search/search-index.service';
import { CommandGroup, ObserversCommand, type GlobalOptions } from '../command';
import { operator, shortTime } from '../dlq/item';
import { onServices } from '../modules';
import { BREAK, counted, cut, print, printJson, printTable } from '../output';
import { parseMoment, wholeNumber } from '../values';
import { SearchWordsCommand } from './words.command';

const LISTED = 200;

async function onIndex<T>(flags: GlobalOptions, work: (index: SearchIndex) => Promise<T>): Promise<T> {
  const { SearchModule } = await import('../../search/search.module');
  const { SearchIndex } = await import('../../search/search-index.service');
  return onServices(flags, [SearchModule], (get) => work(get(SearchIndex)));
}

interface ParkedFlags extends GlobalOptions {
  readonly retry?: boolean;
}

@SubCommand({
  name: 'parked',
  arguments: '[changes...]',
  description: 'documents that the search index has refused, each with its reason; --retry: have them tried once more',
})
class SearchParkedCommand extends ObserversCommand {
  protected readonly examples = [
    ['which there are, and why', 'search parked'],
    ['try all of them once more', 'search parked --retry'],
    ['only some', 'search parked 4711 4712 --retry'],
  ] as const;

  @Option({ flags: '--retry', description: 'have the leader try them once more: those that are named, or all' })
  parseRetry(): boolean {
    return true;
  }

  async run(args: string[], flags: ParkedFlags): Promise<void> {
    const changes = args.length === 0 ? null : args.map((value) => wholeNumber('search parked', value));
    if (flags.retry === true) {
      const asked = await onIndex(flags, (index) => index.retry(changes, operator()));
      if (flags.format === 'json') return printJson({ asked });
      return print(asked === 0 ? 'nothing is parked' : `${counted(asked, 'document')} will be tried once more by the instance that leads`);
    }
    const parked = await onIndex(flags, (index) => index.parked(LISTED));
    const shown = changes === null ? parked : parked.filter(({ change }) => changes.includes(change));
    if (flags.format === 'json') return printJson(shown);
    if (shown.length === 0) return print('nothing is parked');
    printTable(
      ['change', 'entity', 'status', 'tries', 'parked', 'reason'],
      shown.map(({ change, entityType, entityKey, status, tries, parkedAt, reason }) => [
        change, `${entityType ?? ''} ${entityKey ?? ''}`, status, tries, shortTime(parkedAt), cut(reason, 200),
      ]), // prettier-ignore
    );
    if (parked.length === LISTED) print(`The first ${LISTED}; there may be more.`);
    print(`${BREAK}When the cause is mended: search parked --retry`);
  }
}

@SubCommand({
  name: 'reindex',
  description: 'build the search index anew, beside the one that is searched, which it then takes the place of',
})
class SearchReindexCommand extends ObserversCommand {
  protected readonly examples = [
    ['of all that is kept', 'search reindex'],
    ['of the last week', 'search reindex --since 7d'],
  ] as const;

  @Option({ flags: '--since <time>', description: 'only what was written then or later: 2026-01-31T10:00Z, or 2h for two hours ago' })
  parseSince(value: string): string {
    return parseMoment('--since', value);
  }

  async run(_args: string[], flags: GlobalOptions & { since?: string }): Promise<void> {
    const generation = await onIndex(flags, (index) => index.rebuild(flags.since ?? null, operator()));
    if (flags.format === 'json') return printJson({ generation });
    print(`generation ${generation} is built by the instance that leads; searches go on by the one before until it is complete   (status)`);
  }
}

const SUB_COMMANDS = [SearchWordsCommand, SearchParkedCommand, SearchReindexCommand];

@Command({ name: 'search', description: 'events by words and by what came of them; the search index', subCommands: SUB_COMMANDS })
export class SearchCommand extends CommandGroup {
  static readonly subCommands = SUB_COMMANDS;
}
