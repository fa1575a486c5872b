import { Option } from 'nest-commander';
import type { DeadLetterSets, NamedItems } from '../../redrive/dead-letter-sets.service';
import { ExitCode, OperatorError } from '../../event/errors';
import { ObserversCommand, type GlobalOptions } from '../command';
import { onServices } from '../modules';
import { BREAK, print, printJson } from '../output';
import { idFrom, operator } from './item';

interface NamedItemsFlags extends GlobalOptions {
  readonly set?: string;
  readonly reason?: string;
}

/** A command that undoes something: of a set, or of items one by one. */
export abstract class NamedItemsCommand<T> extends ObserversCommand {
  @Option({ flags: '--set <token>', description: 'all of the set that this token stands for' })
  parseSet(value: string): string {
    return value;
  }

  @Option({ flags: '--reason <text>', description: 'why, for the history of the items' })
  parseReason(value: string): string {
    return value;
  }

  async run(ids: string[], flags: NamedItemsFlags): Promise<void> {
    const { RedriveModule } = await import('../../redrive/redrive.module');
    const { DeadLetterSets: Service } = await import('../../redrive/dead-letter-sets.service');
    const named = namedBy(ids, flags);
    const { reason = null } = flags;
    const done = await onServices(flags, [RedriveModule], (get) => this.undo(get(Service), named, reason, operator()));
    if (flags.format === 'json') printJson(done);
    else print(this.sentences(done).join(BREAK));
    if (this.isMissed(done)) process.exitCode = ExitCode.notFound;
  }

  protected abstract undo(sets: DeadLetterSets, items: NamedItems, reason: string | null, who: string): Promise<T>;

  protected abstract sentences(done: T): string[];

  /** Whether something that was named is not there. */
  protected abstract isMissed(done: T): boolean;
}

/** Either a set or ids. */
function namedBy(ids: readonly string[], { set }: NamedItemsFlags): NamedItems {
  if (set !== undefined && ids.length > 0)
    throw new OperatorError('--set and ids contradict each other: the token says which items', 'Give one of them.');
  if (set !== undefined) return { token: set };
  if (ids.length > 0) return { ids: [...new Set(ids.map((id) => idFrom([id])))] };
  throw new OperatorError('no item named', 'Give ids, or --set TOKEN: the token that a dry run gave.', ExitCode.error);
}
