import { Option } from 'nest-commander';
import { ExitCode, OperatorError } from '../../event/errors';
import { ObserversCommand, type GlobalOptions } from '../command';
import { idFrom } from './item';

export interface NamedItemsFlags extends GlobalOptions {
  readonly set?: string;
  readonly reason?: string;
}

/** The options of commands that undo something: of a set, or of items one by one. */
export abstract class NamedItemsCommand extends ObserversCommand {
  @Option({ flags: '--set <token>', description: 'all of the set that this token stands for' })
  parseSet(value: string): string {
    return value;
  }

  @Option({ flags: '--reason <text>', description: 'why, for the history of the items' })
  parseReason(value: string): string {
    return value;
  }
}

/** Either a set or ids. */
export function namedBy(ids: readonly string[], { set }: NamedItemsFlags): { readonly token: string } | { readonly ids: string[] } {
  if (set !== undefined && ids.length > 0)
    throw new OperatorError('--set and ids contradict each other: the token says which items', 'Give one of them.');
  if (set !== undefined) return { token: set };
  if (ids.length > 0) return { ids: [...new Set(ids.map((id) => idFrom([id])))] };
  throw new OperatorError('no item named', 'Give ids, or --set TOKEN: the token that a dry run gave.', ExitCode.error);
}
