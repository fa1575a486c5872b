import { Option } from 'nest-commander';
import type { DeadLetterFilter } from '../../redrive/dead-letters.service';
import { didYouMean } from '../../config/problems';
import { OperatorError } from '../../event/errors';
import { ITEM_ERRORS } from '../../redrive/item-errors';
import { ObserversCommand, type GlobalOptions } from '../command';
import { parseMoment, wholeNumber } from '../values';

export interface FilterFlags extends GlobalOptions {
  readonly observer?: string;
  readonly action?: string;
  readonly entityType?: string;
  readonly entityKey?: string;
  readonly error?: string;
  readonly endpoint?: string;
  readonly after?: string;
  readonly before?: string;
  readonly limit?: number;
  readonly offset?: number;
}

/** The options of every command that takes more than one item of the queue. */
export abstract class FilteredCommand extends ObserversCommand {
  @Option({ flags: '--observer <name>', description: 'only this observer' })
  parseObserver(value: string): string {
    return value;
  }

  @Option({ flags: '--action <name>', description: 'only this action' })
  parseAction(value: string): string {
    return value;
  }

  @Option({ flags: '--entity-type <type>', description: 'only this type of entity' })
  parseEntityType(value: string): string {
    return value;
  }

  @Option({ flags: '--entity-key <key>', description: 'only this entity' })
  parseEntityKey(value: string): string {
    return value;
  }

  @Option({ flags: '--error <kind>', description: 'only this kind of error, such as http_status or timeout' })
  parseError(value: string): string {
    if (ITEM_ERRORS.includes(value)) return value;
    throw new OperatorError(`there is no kind of error "${value}"${didYouMean(value, ITEM_ERRORS)}`, `Kinds: ${ITEM_ERRORS.join(', ')}.`);
  }

  @Option({ flags: '--endpoint <name>', description: 'only what was meant for this endpoint' })
  parseEndpoint(value: string): string {
    return value;
  }

  @Option({ flags: '--after <time>', description: 'died then or later: 2026-01-31T10:00Z, or 2h for two hours ago' })
  parseAfter(value: string): string {
    return parseMoment('--after', value);
  }

  @Option({ flags: '--before <time>', description: 'died before then' })
  parseBefore(value: string): string {
    return parseMoment('--before', value);
  }

  @Option({ flags: '--limit <count>', description: 'at most so many' })
  parseLimit(value: string): number {
    return wholeNumber('--limit', value);
  }

  @Option({ flags: '--offset <count>', description: 'skip so many' })
  parseOffset(value: string): number {
    return wholeNumber('--offset', value);
  }
}

export function filterOf(flags: FilterFlags): DeadLetterFilter {
  const { observer = null, action = null, entityType = null, entityKey = null, error = null } = flags;
  return { observer, action, entityType, entityKey, error, endpoint: flags.endpoint ?? null, after: flags.after ?? null, before: flags.before ?? null }; // prettier-ignore
}

const FILTERS = ['observer', 'action', 'entityType', 'entityKey', 'error', 'endpoint', 'after', 'before', 'limit', 'offset'] as const;

/** A token says which items: a filter beside it would only seem to narrow it down. */
export function refuseFilters(flags: FilterFlags): void {
  const given = FILTERS.find((name) => flags[name] !== undefined);
  if (given === undefined) return;
  const flag = `--${given.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new OperatorError(`${flag} and --token contradict each other: the token says which items`, 'Make a dry run with the filter.');
}
