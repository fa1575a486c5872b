import { SubCommand } from 'nest-commander';
import type { CheckpointState, Place, RecordedReset, StoredCheckpoint } from '../../reset/checkpoint-resets.service';
import { toTheSecond } from '../../event/clock';
import { ObserversCommand, type GlobalOptions } from '../command';
import { onServices } from '../modules';
import { shortTime } from '../dlq/item';
import { colors, print, printJson, printTable } from '../output';

const RESETS_SHOWN = 20;

@SubCommand({ name: 'show', description: 'where the stream stands, whether this server can go on from there, and who has moved it' })
export class CheckpointShowCommand extends ObserversCommand {
  protected readonly examples = [['where the stream stands', 'checkpoint show']] as const;

  async run(_args: string[], flags: GlobalOptions): Promise<void> {
    const { ResetModule } = await import('../../reset/reset.module');
    const { CheckpointResets } = await import('../../reset/checkpoint-resets.service');
    const { StatusModule } = await import('../../status/status.module');
    const { Status } = await import('../../status/status.service');
    const shown = await onServices(flags, [ResetModule, StatusModule], async (get, { stream }) => ({
      stream,
      ...(await get(CheckpointResets).place(stream)),
      leader: await get(Status).leader(stream),
      resets: await get(CheckpointResets).list(stream, RESETS_SHOWN),
    }));
    if (flags.format === 'json') return printJson(shown);
    for (const [label, value] of describe(shown)) print(`${colors.dim(label.padEnd(12))} ${value}`);
    printResets(shown.resets);
  }
}

function describe({ stream, checkpoint, leader, systemIdentifier }: Place & { stream: string; leader: string | null }): [string, string][] {
  const leading: [string, string] = ['leader', leader ?? 'none'];
  if (checkpoint === null)
    return [['stream', stream], leading, ['checkpoint', 'none: it has never been read, and begins at the beginning of the change log']];
  return [
    ['stream', stream],
    leading,
    ['read', describeCursor(checkpoint)],
    ['moved', `${toTheSecond(checkpoint.movedAt)}, in term ${checkpoint.epoch}; an idle stream does not move it`],
    ['state', describeState(checkpoint, systemIdentifier)],
  ];
}

/** A cursor in words; its snapshots are what the service compares. */
function describeCursor({ previous, target, after }: StoredCheckpoint): string {
  const all = previous === '1:1:' ? 'nothing' : `what is visible in the snapshot ${previous}`;
  return target === null ? all : `${all}, and of ${target} the changes up to number ${after}`;
}

function describeState({ state, systemIdentifier }: StoredCheckpoint, server: string): string {
  const repair = 'the service refuses it (checkpoint reset --to now|beginning|EVENT_ID)';
  const words: Record<CheckpointState, string> = {
    sound: colors.green('sound: of this server'),
    foreign: colors.red(`of another PostgreSQL cluster (${systemIdentifier}; this one is ${server}): ${repair}`),
    ahead: colors.red(`ahead of this server, which was probably restored from a backup: ${repair}`),
  };
  return words[state];
}

function printResets(resets: readonly RecordedReset[]): void {
  if (resets.length === 0) return;
  print('');
  printTable(
    ['moved by hand', 'by', 'to', 'skipped', 'read again', 'reason'],
    resets.map(({ at, by, asked, skipped, readAgain, reason }) => [shortTime(at), by, asked, skipped, readAgain, reason]),
  );
  if (resets.length === RESETS_SHOWN) print(`The newest ${RESETS_SHOWN}; operations list --what checkpoint has all.`);
}
