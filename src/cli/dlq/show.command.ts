import { SubCommand } from 'nest-commander';
import { jsonText } from '../../event/json-text';
import type { DeadLetterDetails } from '../../redrive/dead-letters.service';
import { ObserversCommand, type GlobalOptions } from '../command';
import { onServices } from '../modules';
import { colors, cut, print, printJson, printTable } from '../output';
import { triesNamed } from '../tries';
import { idFrom, notFound, shortTime } from './item';

@SubCommand({ name: 'show', arguments: '<id>', description: 'one item: the event, every try, what people did to it' })
export class DlqShowCommand extends ObserversCommand {
  protected readonly examples = [['everything about one item', 'dlq show 5b2f1c3e-8d4a-5f6b-9c7d-0e1f2a3b4c5d']] as const;

  async run(args: string[], flags: GlobalOptions): Promise<void> {
    const { RedriveModule } = await import('../../redrive/redrive.module');
    const { DeadLetters } = await import('../../redrive/dead-letters.service');
    const id = idFrom(args);
    const item = await onServices(flags, [RedriveModule], (get) => get(DeadLetters).show(id));
    if (item === null) throw notFound(id);
    if (flags.format === 'json') return printJson(item);
    for (const [label, value] of describe(item)) print(`${colors.dim(label.padEnd(13))} ${value}`);
    if (item.tries.length > 0) {
      const names = triesNamed(item.tries);
      print('');
      printTable(
        ['try', 'at', 'outcome', 'took', 'status', 'error'],
        item.tries.map(({ at, outcome, durationMs, status, error, message }, i) => [
          names[i] ?? null, at.slice(0, 23).replace('T', ' '), outcome, `${Math.round(durationMs)} ms`, status, error === null ? '' : `${error}: ${message}`,
        ]), // prettier-ignore
      );
    }
    if (item.history.length > 0) print('');
    for (const entry of item.history) print(`${colors.dim(shortTime(entry.at))} ${happened(entry)}`);
  }
}

/** `failed again, asked for by ann, by version 2: http_status 400: the receiver answered 400`. */
function happened({ what, who, detail, error, status, configVersion, askedBy }: DeadLetterDetails['history'][number]): string {
  const by = askedBy === null ? (error === null ? ` by ${who}` : '') : `, asked for by ${askedBy}`;
  const version = configVersion === null ? '' : `, with version ${configVersion}`;
  const why = [error === null ? null : status === null ? error : `${error} ${status}`, detail].filter((part) => part !== null);
  return [`${what}${by}${version}`, ...why].join(': ');
}

function describe(item: DeadLetterDetails): [string, string][] {
  return [
    ['id', item.id],
    ['change', `${item.changeNumber} of ${item.entityType} ${item.entityKey ?? ''}`],
    ['delivery', item.observer === null ? 'none: the change was quarantined' : `${item.observer}/${item.action} to ${item.endpoint}`],
    ['error', item.status === null ? item.error : `${item.error} ${item.status}`],
    ['message', item.message],
    ['attempts', String(item.attempts)],
    ['answer', item.response ?? '–'],
    ['configuration', item.configVersion === null ? '–' : `version ${item.configVersion}`],
    ['resolved', item.resolvedAt === null ? 'no' : `${item.resolution} at ${item.resolvedAt}`],
    ['data', item.dataProblem ?? cut(jsonText(item.data), 400)],
  ];
}
