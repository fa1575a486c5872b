import { Command, Option } from 'nest-commander';
import { ExitCode, OperatorError } from '../../event/errors';
import { ObserversCommand } from '../command';
import { eventLines, field, trialLines } from '../explain/explanation-text';
import { eventJson } from '../../explain/explanation-json';
import { BREAK, colors, counted, print, printJson } from '../output';
import { isUuid } from '../values';
import type { SentDelivery } from '../../dry-run/test-bench';
import type { TestEventFlags, TestRun } from './test-run';

@Command({
  name: 'test-event',
  description: 'what every observer makes of a stored or a made-up event, and what it would send; nothing is sent without --send',
})
export class TestEventCommand extends ObserversCommand {
  protected readonly examples = [
    ['an event to begin with', 'test-event --sample'],
    ['what would be sent for a made-up event', 'test-event --file event.json'],
    ['the same for a stored one, and one observer', 'test-event --event-id 42 --observer order-shipped'],
    ['really send it, marked as a test', 'test-event --file event.json --observer order-shipped --send --yes'],
  ] as const;

  @Option({ flags: '--event-id <id>', description: 'a stored event: the id in the body of its webhooks, or a change number' })
  parseEventId(value: string): string {
    if (isUuid(value) || /^\d{1,15}$/.test(value)) return value.toLowerCase();
    throw new OperatorError(`"${value}" is not the id of an event`, 'Events and their ids: fraiseql-observers debug-event --history 20');
  }

  @Option({ flags: '--file <file>', description: "an event as JSON: a webhook's envelope, or { entity, kind, data, before }; - is stdin" })
  parseFile(value: string): string {
    return value;
  }

  @Option({ flags: '--sample', description: 'print a file to begin with' })
  parseSample(): boolean {
    return true;
  }

  @Option({ flags: '--observer <names>', description: 'only these observers, separated by commas; may be given again' })
  parseObserver(value: string, before: string[] = []): string[] {
    return [...before, ...value.split(',').filter((name) => name !== '')];
  }

  @Option({ flags: '--with-lookups', description: 'really ask the look-ups' })
  parseWithLookups(): boolean {
    return true;
  }

  @Option({ flags: '--send', description: 'really send it, once, marked as a test; database actions commit' })
  parseSend(): boolean {
    return true;
  }

  @Option({ flags: '-y, --yes', description: 'do not ask' })
  parseYes(): boolean {
    return true;
  }

  async run(_args: string[], flags: TestEventFlags): Promise<void> {
    const { sample = false, eventId, file } = flags;
    if (sample) {
      const { SAMPLE } = await import('../../dry-run/sample');
      return printJson(SAMPLE);
    }
    if ((eventId === undefined) === (file === undefined))
      throw new OperatorError('say which event', 'test-event --event-id ID, or test-event --file event.json (--sample prints one)');
    const { testEvent } = await import('./test-run');
    const json = flags.format === 'json';
    const done = await testEvent(flags, (run) => (json ? undefined : printRun(run)));
    if (json) printJson({ ...done, event: eventJson(done.event) });
    else if (done.sent !== null) printSent(done.sent);
    if (done.sent?.some(({ ok }) => !ok) === true) process.exitCode = ExitCode.error;
  }
}

function printRun({ event, observers, notes }: Omit<TestRun, 'sent'>): void {
  print(field('event', event.id));
  for (const line of eventLines(event)) print(line);
  for (const note of notes) print(field('note', note));
  for (const line of observers.flatMap(trialLines)) print(line);
  if (observers.length === 0) print(`${BREAK}no observer is configured`);
  print('');
}

function printSent(sent: readonly SentDelivery[]): void {
  if (sent.length === 0) return print('nothing was sent: no live observer matches');
  for (const { observer, action, id, ok, status, error, message, response } of sent) {
    const answer = [status, error, message].filter((part) => part !== null).join(' ');
    print(`${ok ? colors.green('sent') : colors.red('failed')}  ${observer}/${action}  ${answer}  ${colors.dim(`delivery ${id}`)}`);
    if (response !== null) print(colors.dim(`    ${response}`));
  }
  print(`${counted(sent.length, 'delivery', 'deliveries')} tried once, as a test; nothing is recorded`);
}
