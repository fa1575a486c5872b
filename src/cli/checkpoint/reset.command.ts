import { Option, SubCommand } from 'nest-commander';
import type { ResetPlan, ResetTarget } from '../../reset/checkpoint-resets.service';
import { ExitCode, OperatorError } from '../../event/errors';
import { ObserversCommand, type GlobalOptions } from '../command';
import { confirm } from '../confirm';
import { onServices, type Get } from '../modules';
import { operator } from '../dlq/item';
import { BREAK, colors, counted, print, printJson } from '../output';
import { isUuid } from '../values';

interface ResetFlags extends GlobalOptions {
  readonly to?: string;
  readonly reason?: string;
  readonly yes?: boolean;
}

@SubCommand({
  name: 'reset',
  description: 'move the checkpoint: says what would be skipped or read again, and does it with --yes or when a person agrees',
})
export class CheckpointResetCommand extends ObserversCommand {
  protected readonly examples = [
    ['what it would do; changes nothing without a terminal', 'checkpoint reset --to now'],
    ['after a restore: read again what is stored; what is on record is not sent again', 'checkpoint reset --to beginning --yes'],
    ['go on at an event', 'checkpoint reset --to 0198c1d2-7a3b-7c4d-8e5f-6a7b8c9d0e1f --reason "import of May" --yes'],
  ] as const;

  @Option({
    flags: '--to <place>',
    description: 'now (skip what is committed), beginning, or the id or change number of the event that comes next',
    required: true,
  })
  parseTo(value: string): string {
    if (value === 'now' || value === 'beginning' || isUuid(value) || /^\d{1,15}$/.test(value)) return value.toLowerCase();
    throw new OperatorError(
      `--to takes now, beginning or the id of an event, not "${value}"`,
      'Events and their ids: fraiseql-observers debug-event --history 20',
    );
  }

  @Option({ flags: '--reason <text>', description: 'kept on record with who and when' })
  parseReason(value: string): string {
    return value;
  }

  @Option({ flags: '-y, --yes', description: 'do it, and do not ask' })
  parseYes(): boolean {
    return true;
  }

  async run(_args: string[], flags: ResetFlags): Promise<void> {
    const asked = flags.to ?? '';
    const json = flags.format === 'json';
    const { ExplainModule } = await import('../../explain/explain.module');
    const { ResetModule } = await import('../../reset/reset.module');
    const { CheckpointResets } = await import('../../reset/checkpoint-resets.service');
    const { StatusModule } = await import('../../status/status.module');
    await onServices(flags, [ExplainModule, ResetModule, StatusModule], async (get, { stream, retention }) => {
      const resets = get(CheckpointResets);
      await refuseWhileLed(get, stream);
      const target = await targetOf(get, asked);
      const plan = await resets.plan(stream, target, retention);
      const inPerson = process.stdin.isTTY && process.stdout.isTTY && !json;
      if (!json) for (const line of describe(stream, asked, plan)) print(line);
      if (flags.yes !== true && !inPerson) {
        if (json) return printJson({ performed: false, ...resultOf(stream, asked, plan) });
        return print(`${BREAK}Nothing was changed. To do it: the same with --yes`);
      }
      await confirm(`Move the checkpoint of "${stream}"?`, flags.yes ?? false);
      const done = await resets.perform({ stream, target, asked, by: operator(), reason: flags.reason ?? null, retention });
      if (done === null)
        throw new OperatorError(`a service has begun to lead stream "${stream}" meanwhile: nothing was changed`, 'Stop it first.');
      if (json) printJson({ performed: true, ...resultOf(stream, asked, done) });
      else print(colors.green(`moved: ${counts(done)}; on record (checkpoint show)`));
    });
  }
}

async function refuseWhileLed(get: Get, stream: string): Promise<void> {
  const { Status } = await import('../../status/status.service');
  const leader = await get(Status).leader(stream);
  if (leader === null) return;
  throw new OperatorError(
    `${leader} leads stream "${stream}", and would go on from where it is`,
    'Stop the service first. What only has to be sent once more needs no reset: fraiseql-observers replay --dry-run',
  );
}

async function targetOf(get: Get, asked: string): Promise<ResetTarget> {
  if (asked === 'now' || asked === 'beginning') return { to: asked };
  const { StoredEvents } = await import('../../explain/stored-events.service');
  const events = get(StoredEvents);
  const change = isUuid(asked) ? await events.find(asked) : Number(asked);
  if (change !== null && (await events.has(change))) return { to: 'event', change };
  throw new OperatorError(
    `there is no event ${asked} in the change log`,
    'The last events: fraiseql-observers debug-event --history 20',
    ExitCode.notFound,
  );
}

function resultOf(stream: string, to: string, { cursor, from, skipped, readAgain, onRecord, forgotten }: ResetPlan): object {
  return { stream, to, state: from?.state ?? 'none', skipped, readAgain, onRecord, forgotten, from, cursor };
}

function counts({ skipped, readAgain }: ResetPlan): string {
  const changes = (count: number): string => counted(count, 'change');
  if (skipped === 0 && readAgain === 0) return 'no change is skipped, and none is read again';
  return [skipped === 0 ? null : `${changes(skipped)} skipped`, readAgain === 0 ? null : `${changes(readAgain)} to be read`]
    .filter((part) => part !== null)
    .join(', ');
}

/** What it comes to, before anything is done. */
function describe(stream: string, asked: string, plan: ResetPlan): string[] {
  const { from, skipped, readAgain, onRecord, forgotten } = plan;
  const field = (label: string, value: string): string => `${colors.dim(label.padEnd(12))} ${value}`;
  const again = from === null ? 'to be read' : 'read again';
  return [
    field('stream', stream),
    field('to', asked),
    ...(from !== null && from.state !== 'sound'
      ? [field('from', colors.yellow(`a checkpoint that is ${from.state === 'foreign' ? 'of another cluster' : 'ahead of this server'}: what it had read is not known, and what is on record is taken instead`))] // prettier-ignore
      : []),
    field(
      'skipped',
      `${skipped === 0 ? '0' : colors.red(String(skipped))}   ${skipped === 1 ? 'change' : 'changes'} that no observer will be asked about`,
    ),
    field(again, `${readAgain}   ${readAgain === 1 ? 'change' : 'changes'}, by the configuration that runs then`),
    ...(readAgain === 0
      ? []
      : [field('', `of ${onRecord} something is on record: those deliveries are not sent again, only what is missing`)]),
    ...(forgotten === 0
      ? []
      : [
          field(
            '',
            colors.red(
              `${counted(forgotten, 'is', 'are')} older than attempts are kept (OBSERVERS_RETENTION): what was sent for them is sent again`,
            ),
          ),
        ]),
  ];
}
