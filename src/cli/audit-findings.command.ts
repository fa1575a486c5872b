import { Option, SubCommand } from 'nest-commander';
import type { UnaccountedDelivery } from '../audit/audits.service';
import { ExitCode, OperatorError } from '../event/errors';
import { ObserversCommand, type GlobalOptions } from './command';
import { confirm } from './confirm';
import { refuseUnknownNames } from './known-names';
import { onServices } from './modules';
import { operator, shortTime } from './dlq/item';
import { BREAK, counted, duration, print, printJson, printTable } from './output';
import { wholeNumber } from './values';

const DEFAULT_LIMIT = 50;

@SubCommand({ name: 'list', description: 'what the audit in the background found missing, and has not been mended since' })
export class AuditListCommand extends ObserversCommand {
  protected readonly examples = [['what is missing', 'audit list']] as const;

  @Option({ flags: '--limit <n>', description: `at most so many (default: ${DEFAULT_LIMIT})` })
  parseLimit(value: string): number {
    return wholeNumber('--limit', value);
  }

  async run(_args: string[], flags: GlobalOptions & { limit?: number }): Promise<void> {
    const { AuditModule } = await import('../audit/audit.module');
    const { Audits, QUARANTINE } = await import('../audit/audits.service');
    const { StatusModule } = await import('../status/status.module');
    const { Status } = await import('../status/status.service');
    const { audit, unaccounted } = await onServices(flags, [AuditModule, StatusModule], async (get, { stream }) => {
      const listed = await get(Audits).unaccounted(stream, flags.limit ?? DEFAULT_LIMIT);
      return { audit: (await get(Status).summary(stream)).audit, unaccounted: listed };
    });
    if (flags.format === 'json') return printJson({ audit, unaccounted });
    if (audit === null) return print('the audit in the background has never run for this stream: see audit verify');
    const age =
      audit.ageSeconds === null ? 'the audit is still on its first round' : `accounted for up to ${duration(audit.ageSeconds)} ago`;
    if (unaccounted.length === 0) return print(`nothing is missing; ${age}`);
    show(unaccounted, audit.unaccounted, age);
    // A change that belongs into quarantine cannot be sent.
    const first = unaccounted.find(({ observer, event }) => event !== null && observer !== QUARANTINE);
    if (first !== undefined)
      print(
        `To send one now: fraiseql-observers replay --observer ${first.observer} --action ${first.action} --event ${first.event} --dry-run`,
      );
    print(`To leave it at that: fraiseql-observers audit dismiss ${(first ?? unaccounted[0])?.changeNumber}`);
  }
}

function show(listed: readonly UnaccountedDelivery[], all: number, age: string): void {
  printTable(
    ['change', 'event', 'entity', 'observer/action', 'version', 'found'],
    listed.map(({ changeNumber, event, entityType, entityKey, observer, action, version, foundAt }) => [
      changeNumber, event, `${entityType ?? '–'} ${entityKey ?? ''}`, `${observer}/${action}`, version, shortTime(foundAt),
    ]), // prettier-ignore
  );
  print(
    `${BREAK}${counted(all, 'delivery is', 'deliveries are')} unaccounted${all > listed.length ? `, ${counted(listed.length, 'is', 'are')} shown` : ''}; ${age}`,
  );
}

interface DismissFlags extends GlobalOptions {
  readonly observer?: string;
  readonly action?: string;
  readonly all?: boolean;
  readonly reason?: string;
  readonly yes?: boolean;
}

@SubCommand({
  name: 'dismiss',
  arguments: '[change]',
  description: 'leave it at that: what is missing of a change, or all, counts no longer; who decided it stays on record',
})
export class AuditDismissCommand extends ObserversCommand {
  protected readonly examples = [
    ['leave what is missing of one change at that', "audit dismiss 4711 --reason 'sent by hand' --yes"],
    ['of all changes', 'audit dismiss --all'],
  ] as const;

  @Option({ flags: '--observer <name>', description: 'only of this observer' })
  parseObserver(value: string): string {
    return value;
  }

  @Option({ flags: '--action <name>', description: 'only of this action' })
  parseAction(value: string): string {
    return value;
  }

  @Option({ flags: '--all', description: 'of all changes' })
  parseAll(): boolean {
    return true;
  }

  @Option({ flags: '--reason <text>', description: 'why, for the record' })
  parseReason(value: string): string {
    return value;
  }

  @Option({ flags: '-y, --yes', description: 'without asking' })
  parseYes(): boolean {
    return true;
  }

  async run([change]: string[], flags: DismissFlags): Promise<void> {
    const { AuditModule } = await import('../audit/audit.module');
    const { Audits } = await import('../audit/audits.service');
    if ((change === undefined) === (flags.all !== true))
      throw new OperatorError('name a change, or --all', 'What is missing: fraiseql-observers audit list');
    const changeNumber = change === undefined ? null : wholeNumber('change', change);
    const filter = { changeNumber, observer: flags.observer ?? null, action: flags.action ?? null };
    await refuseUnknownNames(flags);
    const dismissed = await onServices(flags, [AuditModule], async (get, { stream }) => {
      const audits = get(Audits);
      const count = await audits.countUnaccounted(stream, filter);
      if (count === 0)
        throw new OperatorError('nothing that is missing fits', 'What is missing: fraiseql-observers audit list', ExitCode.notFound);
      await confirm(`Dismiss ${counted(count, 'delivery', 'deliveries')}? Nobody will be reminded of them.`, flags.yes === true);
      return audits.dismiss(stream, filter, { who: operator(), reason: flags.reason ?? null });
    });
    if (flags.format === 'json') printJson({ dismissed });
    else print(`${dismissed} dismissed; audit verify counts them as such`);
  }
}
