import type { Story } from './story';

/** One call of the program, as the page shows it. */
export interface Step {
  /** As it stands in the commander tree: `dlq retry`. */
  readonly command: string;
  /** Behind the command; `{name}` is what an earlier step gave (`keep`). */
  readonly args?: readonly string[];
  /** What is to be known, in a sentence. */
  readonly says?: string;
  readonly json?: boolean;
  /** Its exit code; 0. */
  readonly code?: number;
  /** Lines of the output that are shown; the rest is `…`. */
  readonly lines?: number;
  /** Done before. */
  readonly before?: (story: Story) => Promise<unknown>;
  /** Taken out of the output for later steps: a name, and where it is found. */
  readonly keep?: readonly [name: string, pattern: RegExp];
  readonly env?: Readonly<Record<string, string>>;
}

/** A command that is not called here has its reason; its --help is on the page all the same. */
export const NOT_CALLED: Readonly<Record<string, string>> = {
  start: 'It runs until it is told to end; [README](../README.md) shows its output.',
};

const WITH_INDEX = { OBSERVERS_SEARCH_DRIVER: 'elasticsearch', ELASTICSEARCH_URL: 'http://es.example:9200' };

/** What a person writes after --where. */
export const CONDITION = 'id <= 2';

/**
 * In the order in which they are run: what one changes the next sees. A new command needs one step here, and a schema in schemas.ts
 * when it knows `--format json`.
 */
export const STEPS: readonly Step[] = [
  { command: 'start', args: ['--log-level', 'loud'], code: 2, says: 'What is wrong with a setting is said before anything begins.' },
  { command: 'init', args: ['new.yaml'] },
  { command: 'init', args: ['new.yaml'], code: 1, says: 'It never writes over a file.' },
  { command: 'validate-config' },
  { command: 'validate-config', args: ['--detailed'], lines: 12 },
  { command: 'validate-config', args: ['bad.yaml'], code: 2, says: 'Every problem at once, each with its place.' },
  { command: 'validate-config', args: ['bad.yaml'], json: true, code: 2 },
  { command: 'config list', lines: 8 },
  { command: 'config list', json: true, lines: 14 },
  { command: 'config history' },
  { command: 'config history', json: true },
  { command: 'config diff', args: ['--config', 'next.yaml'] },
  { command: 'config diff', args: ['--config', 'next.yaml'], json: true },
  { command: 'config diff', args: ['7'], code: 5 },
  {
    command: 'config preview',
    args: ['--config', 'next.yaml', '--since', '1h'],
    lines: 100,
    says: 'What a new file would have done with what happened.',
  },
  { command: 'config preview', args: ['--config', 'next.yaml', '--since', '1h'], json: true, lines: 60 },
  { command: 'migrate' },
  { command: 'migrate', args: ['--check'] },
  { command: 'migrate', args: ['--list'], json: true, lines: 10 },
  {
    command: 'roles plan',
    before: ({ database }) => database.query('revoke all on observers.lease from observers_service'),
    says: 'Where somebody has taken a right away. Where there is no role yet, it prints all of them.',
  },
  { command: 'roles plan', json: true },
  { command: 'roles apply', args: ['--yes'] },
  { command: 'roles apply', args: ['--yes'] },
  { command: 'capture plan', args: ['--config', 'two.yaml'], lines: 14 },
  { command: 'capture plan', args: ['--config', 'two.yaml'], json: true, lines: 14 },
  { command: 'capture check' },
  { command: 'capture check', args: ['--config', 'two.yaml'], code: 4 },
  { command: 'capture check', args: ['--config', 'two.yaml'], json: true, code: 4, lines: 11 },
  { command: 'capture apply', args: ['--config', 'two.yaml', '--yes'] },
  { command: 'capture list' },
  { command: 'capture list', json: true },
  { command: 'capture remove', args: ['public.customers', '--yes'] },
  { command: 'capture remove', args: ['public.customers', '--yes'], code: 5 },
  { command: 'status', before: (story) => story.captured() },
  { command: 'status', json: true, lines: 50 },
  { command: 'status', args: ['--detailed'], lines: 60 },
  { command: 'status', args: ['--detailed'], json: true, lines: 92, keep: ['listener', /"holder": "([^"]+)"/] },
  { command: 'status', args: ['--listener', '{listener}'] },
  { command: 'status', args: ['--listener', '{listener}'], json: true },
  { command: 'status', args: ['--listener', 'nobody'], code: 5 },
  { command: 'tail', args: ['-n', '6', '--no-follow', '--observer', 'notify'], says: 'Without `--no-follow` it goes on until Ctrl-C.' },
  { command: 'tail', args: ['--no-follow', '--outcome', 'dead'], says: 'What has failed for good.' },
  { command: 'tail', args: ['-n', '2', '--no-follow', '--outcome', 'succeeded'], json: true, says: 'An object a line.' },
  { command: 'search words', args: ['shipped'] },
  { command: 'search words', args: ['--count-by', 'outcome'], says: 'How many tries came to what.' },
  { command: 'search words', args: ['150.50', '--entity-key', '2'], json: true },
  { command: 'search parked', code: 2, says: 'Of the search index in Elasticsearch; without one there is nothing to show.' },
  { command: 'search parked', env: WITH_INDEX, before: (story) => story.documentIsParked() },
  { command: 'search parked', env: WITH_INDEX, json: true },
  { command: 'search parked', args: ['--retry'], env: WITH_INDEX, json: true, says: 'The instance that leads tries them once more.' },
  { command: 'search reindex', env: WITH_INDEX },
  { command: 'search reindex', args: ['--since', '2026-01-31'], env: WITH_INDEX, json: true },
  { command: 'completion', args: ['bash'], lines: 8, says: 'To use it: `source <(fraiseql-observers completion bash)`.' },
  { command: 'test-event', args: ['--sample'], says: 'An event to begin with; written to a file, it is asked about as it is or changed.' },
  { command: 'test-event', args: ['--sample'], json: true, lines: 4 },
  { command: 'test-event', args: ['--file', 'event.json'], says: 'What all observers would make of it. Nothing is sent.', lines: 60 },
  {
    command: 'test-event',
    args: ['--event-id', '2', '--observer', 'notify'],
    lines: 40,
    says: 'The same of an event that is stored, and one observer.',
  },
  { command: 'test-event', args: ['--event-id', '2', '--observer', 'books'], json: true, lines: 90 },
  {
    command: 'test-event',
    args: ['--event-id', '2', '--observer', 'notify', '--send', '--yes'],
    lines: 50,
    says: 'With `--send` it is sent once, marked as a test, and not recorded.',
  },
  {
    command: 'status',
    env: { DATABASE_URL: 'postgres://shop@127.0.0.1:1/shop' },
    code: 3,
    says: 'Without a database there is nothing to say.',
  },
  { command: 'doctor', lines: 30 },
  { command: 'doctor', json: true, lines: 14 },
  { command: 'debug-event', args: ['--history', '3'], says: 'What happened lately.' },
  { command: 'debug-event', args: ['--event-id', '3'], says: 'Why, of one of them.' },
  { command: 'debug-event', args: ['--event-id', '3'], json: true, lines: 72 },
  { command: 'debug-event', args: ['--event-id', '3', '--render'], lines: 60, says: 'With what was sent, or is to be.' },
  { command: 'why', args: ['--entity', 'Order', '--key', '2'], says: 'What happened to one entity, and what came of it.', lines: 40 },
  { command: 'why', args: ['--entity', 'Order', '--key', '2', '--observer', 'shipped', '--limit', '1'], json: true, lines: 60 },
  {
    command: 'why',
    args: ['--entity', 'order', '--key', '2'],
    says: 'Where there is nothing, why that can be, and the command that helps.',
  },
  { command: 'why', args: ['--entity', 'Order', '--key', '2', '--observer', 'shiped'], code: 5 },
  { command: 'metrics', args: ['--metric', 'observer_dead_letters_open'] },
  { command: 'metrics', args: ['--metric', 'observer_dead_letters_open'], json: true },
  { command: 'metrics', json: true, lines: 60 },
  { command: 'metrics', args: ['--help-metrics'], lines: 5 },
  { command: 'pending list' },
  { command: 'pending list', args: ['--state', 'parked'], json: true },
  { command: 'observers list' },
  { command: 'observers list', json: true, lines: 16 },
  { command: 'observers pause', args: ['notify', '--reason', 'the receiver is moving'] },
  { command: 'observers pause', args: ['later'], json: true },
  { command: 'observers resume', args: ['notify'] },
  { command: 'observers resume', args: ['later'], json: true },
  { command: 'observers resume', args: ['notfy'], code: 5 },
  { command: 'lanes list' },
  { command: 'lanes list', json: true },
  { command: 'lanes resume', args: ['--observer', 'books', '--entity-key', '2', '--yes'] },
  { command: 'lanes resume', args: ['--observer', 'books', '--entity-key', '4', '--yes'], json: true, before: (story) => story.parked(3) },
  {
    command: 'lanes dead-letter',
    args: ['--observer', 'books', '--entity-key', '2', '--yes'],
    before: (story) => story.parked(3),
    says: 'With `--whole-lane` everything that waits behind the head goes with it.',
  },
  {
    command: 'lanes dead-letter',
    args: ['--observer', 'books', '--entity-key', '5', '--yes'],
    json: true,
    before: (story) => story.parked(3),
  },
  { command: 'lanes skip', args: ['--observer', 'books', '--entity-key', '2', '--yes'], before: (story) => story.parked(2) },
  { command: 'lanes skip', args: ['--observer', 'books', '--entity-key', '4', '--yes'], json: true },
  { command: 'lanes skip', args: ['--all', '--yes'], code: 5 },
  { command: 'breakers list' },
  { command: 'breakers list', json: true },
  { command: 'breakers reset', args: ['nothing'], code: 5 },
  { command: 'breakers reset', args: ['busy'], json: true },
  {
    command: 'cache invalidate',
    args: ['https://crm.internal/customers/42'],
    code: 2,
    says: 'With Redis every instance asks anew; without it each has answers of its own.',
  },
  { command: 'dlq list', keep: ['id', /^(\S{36}) .*shipped\/webhook/m] },
  { command: 'dlq list', args: ['--observer', 'shipped'], json: true },
  { command: 'dlq show', args: ['{id}'] },
  { command: 'dlq show', args: ['{id}'], json: true },
  { command: 'dlq show', args: ['00000000-0000-4000-8000-000000000000'], code: 5 },
  { command: 'dlq stats' },
  { command: 'dlq stats', args: ['--by-observer'], json: true },
  { command: 'dlq retry', args: ['{id}'], code: 1, says: 'It waits for the try and says what came of it; 1 when it failed again.' },
  { command: 'dlq retry', args: ['{id}'], json: true, code: 1 },
  { command: 'dlq retry-all', args: ['--observer', 'shipped', '--dry-run'], keep: ['retry', /--token (\S+)/] },
  { command: 'dlq retry-all', args: ['--observer', 'shipped', '--dry-run'], json: true },
  { command: 'dlq retry-all', args: ['--token', '{retry}', '--yes'], code: 1 },
  { command: 'dlq retry-all', args: ['--token', '{retry}', '--yes'], json: true },
  { command: 'dlq remove', args: ['--observer', 'books', '--dry-run'], keep: ['remove', /--token (\S+)/] },
  { command: 'dlq remove', args: ['--token', '{remove}', '--yes'] },
  { command: 'dlq remove', args: ['--token', '{remove}', '--yes'], json: true },
  { command: 'dlq restore', args: ['--set', '{remove}'] },
  { command: 'dlq restore', args: ['--set', '{remove}'], json: true, code: 5 },
  { command: 'dlq remove', args: ['{id}', '--reason', 'the customer was told', '--yes'], json: true },
  { command: 'dlq cancel', args: ['--set', '{retry}'] },
  { command: 'dlq cancel', args: ['{id}'], json: true },
  { command: 'audit verify' },
  { command: 'audit verify', args: ['--since', '1h'], json: true },
  {
    command: 'audit list',
    before: (story) => story.loses(1, 'notify'),
    keep: ['event', /--event (\S+)/],
    says: 'Here somebody has deleted the record of a delivery.',
  },
  { command: 'audit list', json: true },
  { command: 'audit verify', code: 1 },
  {
    command: 'replay',
    args: ['--observer', 'notify', '--action', 'webhook', '--event', '{event}', '--dry-run'],
    keep: ['replay', /--token (\S+)/],
  },
  { command: 'replay', args: ['--token', '{replay}', '--yes'] },
  {
    command: 'replay',
    args: ['--observer', 'notify', '--entity-key', '4', '--dry-run'],
    json: true,
    keep: ['again', /"token": "([^"]+)"/],
  },
  { command: 'replay', args: ['--token', '{again}', '--yes'], json: true },
  { command: 'replay', args: ['--token', '{again}', '--yes'], code: 1, says: 'A token that is used twice does nothing more.' },
  { command: 'backfill run', args: ['public.orders', '--observer', 'notify', '--where', CONDITION, '--dry-run'] },
  { command: 'backfill run', args: ['public.orders', '--observer', 'notify', '--where', CONDITION, '--dry-run'], json: true, lines: 30 },
  { command: 'backfill run', args: ['public.orders', '--observer', 'notify', '--where', CONDITION, '--yes'] },
  {
    command: 'backfill run',
    args: ['public.orders', '--observer', 'notify', '--where', CONDITION, '--yes'],
    code: 1,
    says: 'It is finished.',
  },
  {
    command: 'backfill list',
    before: async (story) => {
      await story.backfillStops(['notify']);
      await story.backfillStops(['books', 'notify']);
    },
    keep: ['stopped', /^(\S+) .*stopped/m],
  },
  { command: 'backfill list', json: true, keep: ['former', /"id": "[^]*?"id": "([^"]+)"/] },
  { command: 'backfill cancel', args: ['{stopped}', '--yes'] },
  { command: 'backfill cancel', args: ['{former}', '--yes'], json: true },
  { command: 'backfill cancel', args: ['{former}', '--yes'], code: 1, says: 'It has ended.' },
  { command: 'audit dismiss', args: ['1', '--reason', 'known', '--yes'], before: (story) => story.loses(1, 'notify') },
  { command: 'audit dismiss', args: ['2', '--yes'], json: true, before: (story) => story.loses(2, 'notify') },
  { command: 'operations list', args: ['--limit', '5'] },
  { command: 'operations list', args: ['--what', 'observer', '--limit', '2'], json: true },
  { command: 'retention status' },
  { command: 'retention status', json: true, lines: 14 },
  { command: 'retention run', args: ['--yes'] },
  { command: 'retention run', args: ['--yes'], json: true },
  { command: 'checkpoint show' },
  { command: 'checkpoint show', json: true },
  { command: 'checkpoint reset', args: ['--to', 'now'], code: 1, says: 'Not while a service leads.' },
  { command: 'metrics', before: (story) => story.stopService(), code: 3, says: 'With the service stopped.' },
  { command: 'checkpoint reset', args: ['--to', 'beginning'] },
  { command: 'checkpoint reset', args: ['--to', '4'], json: true },
  { command: 'checkpoint reset', args: ['--to', 'beginning', '--reason', 'the receiver lost its data', '--yes'] },
];
