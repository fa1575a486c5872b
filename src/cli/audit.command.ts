import { Command, Option, SubCommand } from 'nest-commander';
import type { Audit } from '../audit/verify';
import { ExitCode } from '../event/errors';
import { AuditDismissCommand, AuditListCommand } from './audit-findings.command';
import { CommandGroup, definitionReader, ObserversCommand, type GlobalOptions } from './command';
import { onServices } from './modules';
import { BREAK, colors, counted, print, printJson, printTable } from './output';
import { parseMoment } from './values';

const SHOWN = 20;

@SubCommand({
  name: 'verify',
  description: 'account for every committed change and every observer; exit 1 and the list when anything is missing',
})
export class AuditVerifyCommand extends ObserversCommand {
  protected readonly examples = [
    ['of all that is kept', 'audit verify'],
    ['of the last day, for a monitor', 'audit verify --since 24h --format json'],
  ] as const;

  @Option({
    flags: '--since <time>',
    description: 'written then or later: 2026-01-31T10:00Z, or 2h for two hours ago (default: all that is kept)',
  })
  parseSince(value: string): string {
    return parseMoment('--since', value);
  }

  async run(_args: string[], flags: GlobalOptions & { since?: string }): Promise<void> {
    const { AuditModule } = await import('../audit/audit.module');
    const { Audits } = await import('../audit/audits.service');
    const audit = await onServices(flags, [AuditModule], async (get, settings) => {
      const { stream, retention, maxEventSize } = settings;
      const definitionOf = await definitionReader(flags, settings);
      return get(Audits).verify({ stream, retention, maxEventSize, since: flags.since ?? null }, definitionOf);
    });
    if (audit.unaccounted > 0) process.exitCode = ExitCode.error;
    if (flags.format === 'json') printJson(audit);
    else describe(audit);
  }
}

function describe(audit: Audit): void {
  const {
    changes,
    quarantined,
    ignored,
    passedOver,
    notMatched,
    delivered,
    skipped,
    shadow,
    dead,
    discarded,
    parked,
    pending,
    dismissed,
    unaccounted,
    unverifiable,
  } = audit;
  const lines: [string, string][] = [
    ['changes', `${changes}, of which ${quarantined} in quarantine and ${ignored} of no concern (NOOP, READ)`],
    ...(passedOver === 0
      ? []
      : [
          [
            'passed over',
            `${passedOver}   ${passedOver === 1 ? 'change' : 'changes'} that a person moved the checkpoint past   (checkpoint show)`,
          ] as [string, string],
        ]),
    ['not matched', `${notMatched}   ${notMatched === 1 ? 'observer' : 'observers'} asked, and the answer was no`],
    ['delivered', String(delivered)],
    ['skipped', `${skipped}   nothing had to be sent: a duplicate, or a look-up that said no`],
    ...(shadow === 0 ? [] : [['shadow', `${shadow}   of observers in shadow: recorded, and not sent`] as [string, string]]),
    ['dead', `${dead}${dead === 0 ? '' : '   (dlq list)'}`],
    ['discarded', `${discarded}   dead ${discarded === 1 ? 'letter' : 'letters'} that a person gave up`],
    ['parked', `${parked}${parked === 0 ? '' : '   (lanes list)'}`],
    ['pending', String(pending)],
    ...(dismissed === 0 ? [] : [['dismissed', `${dismissed}   missing, and a person left it at that`] as [string, string]]),
    ['unaccounted', unaccounted === 0 ? colors.green('0') : colors.red(String(unaccounted))],
  ];
  for (const [label, value] of lines) print(`${colors.dim(label.padEnd(12))} ${value}`);
  const { versionUnknown, versionUnreadable, clock, outside, size } = unverifiable;
  const unprovable = [
    ...(versionUnknown === 0
      ? []
      : [`${counted(versionUnknown, 'change was', 'changes were')} decided before versions were recorded, or by another cluster`]),
    ...(versionUnreadable === 0 ? [] : [`of ${counted(versionUnreadable, 'change')} the configuration can no longer be read`]),
    ...(clock === 0
      ? []
      : [`${counted(clock, 'condition reads', 'conditions read')} the clock, and nothing is on record: it may not have been met then`]),
    ...(outside === 0
      ? []
      : [
          `${counted(outside, 'observer takes', 'observers take')} names, entities, kinds or conditions from outside the file, and nothing is on record`,
        ]),
    ...(size === 0 ? [] : [`${counted(size, 'change is', 'changes are')} larger than OBSERVERS_MAX_EVENT_SIZE allows today`]),
  ];
  for (const line of unprovable) print(`${colors.dim('not provable'.padEnd(12))} ${line}`);
  if (unaccounted > 0) list(audit);
}

function list({ list: missing, unaccounted }: Audit): void {
  print('');
  printTable(
    ['change', 'event', 'entity', 'observer/action', 'version'],
    missing.slice(0, SHOWN).map(({ changeNumber, event, entityType, entityKey, observer, action, version }) => [
      changeNumber, event, `${entityType} ${entityKey}`, `${observer}/${action}`, version,
    ]), // prettier-ignore
  );
  if (unaccounted > SHOWN) print(`… and ${unaccounted - SHOWN} more (--format json lists the first 1,000)`);
  const first = missing.find(({ event }) => event !== '');
  if (first !== undefined)
    print(
      `${BREAK}To send one now: fraiseql-observers replay --observer ${first.observer} --action ${first.action} --event ${first.event} --dry-run`,
    );
}

const SUB_COMMANDS = [AuditVerifyCommand, AuditListCommand, AuditDismissCommand];

@Command({ name: 'audit', description: 'the proof that nothing was lost', subCommands: SUB_COMMANDS })
export class AuditCommand extends CommandGroup {
  static readonly subCommands = SUB_COMMANDS;
}
