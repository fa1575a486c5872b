import { once } from 'node:events';
import { Command, Option } from 'nest-commander';
import type { Settings } from '../../config/settings';
import { TAIL_OUTCOMES, type TailBeginning, type TailEntry, type TailFilter, type TailOutcome } from '../../status/tail.service';
import { UNBOUND } from '../../event/bounds';
import { messageOf, OperatorError } from '../../event/errors';
import { Interruption } from '../bulk/interruption';
import { loadInputOf, ObserversCommand, type GlobalOptions } from '../command';
import { refuseUnknownNames } from '../known-names';
import { databaseUrl, withDatabase } from '../modules';
import { inPlainWords } from '../../database/plain-words';
import { BREAK, visible, visibleJson, writeTrusted } from '../../event/terminal';
import { colors, cut, write } from '../output';
import { parseMoment, wholeNumber } from '../values';
import { Follower } from './follower';

interface TailFlags extends GlobalOptions {
  readonly observer?: string;
  readonly action?: string;
  readonly entityType?: string;
  readonly outcome?: TailOutcome;
  readonly since?: Pick<TailBeginning, 'since' | 'change'>;
  readonly number?: number;
  readonly follow?: boolean;
}

/** Milliseconds between two looks: a person takes it for at once, and it costs a statement of a millisecond. */
const LOOK_EVERY = 250;
/** Milliseconds between two looks at who leads. */
const LEADER_EVERY = 3_000;
const FIRST_RETRY = 250;
const LONGEST_RETRY = 5_000;
const LAST = 10;
/** With --since; more scroll by unread. */
const MOST = 10_000;

@Command({ name: 'tail', description: 'what happens, as it happens: events, tries with their outcomes, dead letters, quarantine' })
export class TailCommand extends ObserversCommand {
  protected readonly examples = [
    ['everything, until Ctrl-C', 'tail'],
    ['what fails, of one observer', 'tail --observer order-shipped --outcome dead'],
    ['the last ten minutes, and on', 'tail --since 10m --entity-type Order'],
    ['what has happened, and end', 'tail -n 100 --no-follow'],
    ['for another program: a JSON object a line', 'tail -n 0 --format json'],
  ] as const;

  @Option({ flags: '--observer <name>', description: 'only outcomes of this observer' })
  parseObserver(value: string): string {
    return value;
  }

  @Option({ flags: '--action <name>', description: 'only outcomes of this action' })
  parseAction(value: string): string {
    return value;
  }

  @Option({ flags: '--entity-type <type>', description: 'only this type of entity' })
  parseEntityType(value: string): string {
    return value;
  }

  @Option({ flags: '--outcome <outcome>', description: 'only this outcome', choices: [...TAIL_OUTCOMES] })
  parseOutcome(value: string): string {
    return value;
  }

  @Option({ flags: '--since <time>', description: 'begin then: 10m for ten minutes ago, 2026-01-31T10:00Z, or a change number' })
  parseSince(value: string): Pick<TailBeginning, 'since' | 'change'> {
    return /^\d{1,15}$/.test(value) ? { since: null, change: Number(value) } : { since: parseMoment('--since', value), change: null };
  }

  @Option({
    flags: '-n, --number <count>',
    description: `begin with the last so many (default: ${LAST}; with --since all, at most ${MOST})`,
  })
  parseNumber(value: string): number {
    return Math.min(MOST, wholeNumber('--number', value));
  }

  @Option({ flags: '--no-follow', description: 'show what has happened, and end' })
  parseFollow(): boolean {
    return false;
  }

  async run(_args: string[], flags: TailFlags): Promise<void> {
    const { loadSettings } = await import('../../config/load');
    const { connect } = await import('../../database/postgres');
    const settings = loadSettings(loadInputOf(flags));
    await withDatabase(settings, () => refuseUnknownNames(flags));
    const interruption = new Interruption();
    const follower = new Follower({
      settings,
      connect: async () => connect(await databaseUrl(settings), 'tail', true),
      filter: filterOf(flags),
      beginning: { since: null, change: null, ...flags.since, count: flags.number ?? (flags.since === undefined ? LAST : MOST) },
      show: (entries) => show(entries, flags.format === 'json', interruption),
      say,
    });
    await follow(follower, settings, interruption, flags.follow ?? true);
    // A connection that is being made would keep the process for seconds.
    process.exit(0);
  }
}

function filterOf({ observer, action, entityType, outcome }: TailFlags): TailFilter {
  return { observer: observer ?? null, action: action ?? null, entityType: entityType ?? null, outcome: outcome ?? null, bounds: UNBOUND };
}

async function follow(follower: Follower, { stream }: Settings, interruption: Interruption, on: boolean): Promise<void> {
  const leader = new LeaderWatch(follower, stream);
  let wait = 0;
  let began = false;
  while (!interruption.interrupted) {
    try {
      const more = await Promise.race([follower.look(), interruption.happened]);
      if (interruption.interrupted) break;
      if (wait > 0) say('the database answers again');
      wait = 0;
      began = true;
      await leader.look();
      if (more !== true && !on) return;
      if (more !== true) await interruption.sleep(LOOK_EVERY);
    } catch (error) {
      // At the beginning it is a mistake that a person mends.
      if (!began || !(await isTemporary(error))) throw inPlainWords(error);
      if (wait === 0) say(`the database does not answer (${messageOf(error)}); trying again`);
      await follower.drop();
      wait = Math.min(LONGEST_RETRY, wait === 0 ? FIRST_RETRY : wait * 2);
      await interruption.sleep(wait);
    }
  }
}

async function isTemporary(error: unknown): Promise<boolean> {
  const { isRetryable } = await import('../../database/postgres');
  // No connection to be had is told by an error for operators, which wraps what the driver said.
  return error instanceof OperatorError || isRetryable(error);
}

/** Without a leader only events come, and somebody who waits for outcomes should know. */
class LeaderWatch {
  private leader: string | null | undefined = undefined;
  private lookedAt = -Infinity;

  constructor(
    private readonly follower: Follower,
    private readonly stream: string,
  ) {}

  async look(): Promise<void> {
    if (performance.now() - this.lookedAt < LEADER_EVERY) return;
    this.lookedAt = performance.now();
    const leader = await this.follower.ask((status) => status.leader(this.stream));
    if (leader === this.leader) return;
    if (leader === null)
      say(`no service leads the stream "${this.stream}": changes are recorded, and nothing is delivered until one starts`);
    else if (this.leader !== undefined) say(`${leader} leads the stream "${this.stream}" now`);
    this.leader = leader;
  }
}

function say(text: string): void {
  writeTrusted(process.stderr, visible(`${colors.dim('·')} ${text}${BREAK}`));
}

async function show(entries: readonly TailEntry[], json: boolean, interruption: Interruption): Promise<void> {
  if (entries.length === 0) return;
  const lines = entries.map((entry) => (json ? visibleJson(JSON.stringify(entry)) : visible(entryLine(entry))));
  if (!write(lines.join('\n'))) await Promise.race([once(process.stdout, 'drain'), interruption.happened]);
}

const OUTCOME = 11;
const ENTITY = 22;
const NEVER_NARROWER = 60;

const MARKS: Readonly<Record<string, (text: string) => string>> = {
  succeeded: colors.green,
  skipped: colors.dim,
  retry: colors.yellow,
  dead: colors.red,
  quarantined: colors.red,
  discarded: colors.dim,
};

/** A line for people: when, what, of which entity; what it came to. */
function entryLine(entry: TailEntry): string {
  const { at, change, event, entityType, entityKey, operation, observer, action, outcome } = entry;
  const time = at.slice(11, 23).padEnd(12);
  const entity = entityType === null ? `change ${change}` : `${entityType} ${entityKey ?? ''}`;
  const word = outcome ?? operation ?? 'event';
  const subject = observer === null ? '' : `${observer}/${action}`;
  const rest =
    outcome === null ? `event ${event} (change ${change})` : [subject, ...details(entry)].filter((part) => part !== '').join(', ');
  const colour = outcome === null ? colors.cyan : (MARKS[outcome] ?? ((text: string) => text));
  const room = Math.max(NEVER_NARROWER, process.stdout.columns) - time.length - OUTCOME - Math.max(ENTITY, entity.length) - 3;
  return `${colors.dim(time)} ${colour(word.padEnd(OUTCOME))} ${entity.padEnd(ENTITY)} ${cut(rest, room)}`;
}

function details({ attempt, status, error, message, durationMs, kind }: TailEntry): string[] {
  return [
    kind === 'attempt' && attempt !== null && attempt > 1 ? `try ${attempt}` : '',
    durationMs === null ? '' : `${Math.round(durationMs)} ms`,
    status === null ? '' : String(status),
    [error, message].filter((part) => part !== null).join(': '),
  ];
}
