import type { Service } from '../../src/lifecycle/start-service';
import { allCommands, cliProgram, pathOf } from '../support/cli-program';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { programOn, type Program } from '../support/redrive';
import { startTestService } from '../support/service';
import { atLeast, untilLeading, untilRows } from '../support/until';

/** A title, a cleared screen, the clipboard, a colour, a byte of C1, a turned direction; and a line that nobody wrote. */
const EVIL = '\x1b]0;title\x07\x1b[2J\x1b]52;c;ZXZpbA==\x07\x1b[31m\x9b2J\u202e\u2066\u2028\r\nFORGED all is well\x08\x7f';
/** All that a terminal could obey, but ends of lines. */
// eslint-disable-next-line no-control-regex -- these must not be there
const OBEYED = /[\0-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

/** Commands that this test does not run, and why. */
const NOT_RUN: Readonly<Record<string, string>> = {
  completion: 'it prints a script that is ours',
  start: 'it runs until it is told to end; its log is tested below',
};

let database: TestDatabase;
let receiver: Receiver;
let program: Program;
let service: Service;
let letter: string;
let event: string;

const file = (url: string): string => `version: 1
capture: [{ table: public.orders, entity: Order }]
observers:
  - name: parked
    entity: Order
    ordering: strict
    retry: { strategy: fixed, max_attempts: 1 }
    actions: [{ name: hook, type: webhook, url: "${url}/a", allow_addresses: [loopback] }]
  - name: dead
    entity: Order
    when: "note != 'never'"
    retry: { strategy: fixed, max_attempts: 1 }
    actions:
      - { name: hook, type: webhook, url: "${url}/b", allow_addresses: [loopback], body: { note: "{{ note }}" }, headers: { x-note: "{{ id | url_encode }}" } }
      - { name: db, type: database, function: public.refuse }
  - name: odd
    entity: Order
    when: "note / 2 > 1"
    actions: [{ type: log, message: "{{ note }}" }]
`;

beforeAll(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver((_request, response) => void response.writeHead(422).end(EVIL));
  await database.query(`create table public.orders (id text primary key, note text, tenant text);
    create function public.refuse(envelope jsonb) returns void language plpgsql as $$ begin raise exception using errcode = 'XX001', message = envelope #>> '{data,note}'; end $$`);
  program = programOn(database, file(receiver.url));
  service = await startTestService(database.url, { file: file(receiver.url), env: { OBSERVERS_AUDIT_INTERVAL: '100ms' } });
  await untilLeading(service.streams.main);
  await database.query('insert into orders values ($1, $1, $1), ($2, $1, $1)', [EVIL, 'x\x1b[1m']);
  const rows = await untilRows<{ id: string; event: string }>(
    database,
    "select d.id::text, d.event_id::text as event from observers.dead_letter d where d.action = 'db'",
    2,
  );
  await untilRows(database, 'select from observers.attempt', atLeast(6));
  ({ id: letter, event } = rows[0]!);
});

afterAll(async () => {
  await service.stop();
  program.remove();
  await receiver.close();
  await database.drop();
});

/** In this order: what one changes the next sees. */
const LINES = (): readonly (readonly string[])[] => [
  ['migrate', '--list'],
  ['validate-config'],
  ['validate-config', `${EVIL}.yaml`],
  ['config', 'list'],
  ['pending', 'list'],
  ['config', 'history'],
  ['config', 'diff', EVIL],
  ['config', 'preview', '--since', '1h'],
  ['capture', 'plan'],
  ['capture', 'check'],
  ['capture', 'list'],
  ['capture', 'apply'],
  ['capture', 'remove', EVIL],
  ['roles', 'plan'],
  ['roles', 'apply'],
  ['doctor'],
  ['status', '--detailed'],
  ['status', '--listener', EVIL],
  ['tail', '-n', '100', '--no-follow'],
  ['debug-event', '--history', '20'],
  ['debug-event', '--event-id', event, '--render'],
  ['debug-event', '--event-id', EVIL],
  ['why', '--entity', 'Order', '--key', EVIL],
  ['why', '--entity', EVIL, '--key', EVIL, '--observer', EVIL],
  ['why', '--entity', EVIL, '--key', EVIL],
  ['search', 'FORGED'],
  ['search', EVIL],
  ['search', 'words', EVIL],
  ['search', 'parked'],
  ['search', 'parked', EVIL, '--retry'],
  ['search', 'reindex', '--since', EVIL],
  ['test-event', '--event-id', event],
  ['test-event', '--event-id', event, '--send', '--yes'],
  ['dlq', 'list'],
  ['dlq', 'list', '--observer', EVIL],
  ['dlq', 'show', letter],
  ['dlq', 'show', EVIL],
  ['dlq', 'stats'],
  ['dlq', 'stats', '--by-error'],
  ['dlq', 'retry', letter],
  ['dlq', 'retry-all', '--dry-run'],
  ['dlq', 'remove', '--dry-run'],
  ['dlq', 'cancel', EVIL],
  ['dlq', 'restore', EVIL],
  ['breakers', 'list'],
  ['breakers', 'reset', EVIL],
  ['cache', 'invalidate', EVIL],
  ['cache', 'invalidate', '--lookup', EVIL],
  ['operations', 'list'],
  ['retention', 'status'],
  ['retention', 'run', '--yes'],
  ['lanes', 'list'],
  ['lanes', 'resume', '--observer', EVIL, '--yes'],
  ['lanes', 'skip', '--observer', EVIL, '--yes'],
  ['lanes', 'dead-letter', '--observer', EVIL, '--yes'],
  ['replay', '--observer', 'dead', '--after', '1h', '--dry-run'],
  ['replay', '--observer', EVIL, '--dry-run'],
  ['observers', 'list'],
  ['observers', 'pause', EVIL],
  ['observers', 'resume', EVIL],
  ['audit', 'verify'],
  ['audit', 'list'],
  ['audit', 'dismiss', EVIL],
  ['backfill', 'run', 'public.orders', '--observer', 'dead', '--dry-run'],
  ['backfill', 'list'],
  ['backfill', 'cancel', EVIL],
  ['checkpoint', 'show'],
  ['checkpoint', 'reset', '--to', EVIL],
  ['metrics'],
  ['metrics', '--metric', EVIL],
  ['init', `${EVIL}.yaml`],
  [EVIL],
  ['dlq', EVIL],
  ['dlq', 'list', `--${EVIL}`],
  ['status', '--format', EVIL],
];

test('whatever rows, receivers and arguments hold, no command writes what a terminal obeys, nor a line that nobody wrote', async () => {
  const shown: string[] = [];
  const obeyed: unknown[] = [];
  for (const line of LINES()) {
    for (const args of line.includes('--format') ? [line] : [line, [...line, '--format', 'json']]) {
      const { out, err } = await program.run(args);
      const found = [out, err].flatMap((text) => [OBEYED.exec(text)?.[0] ?? [], /^FORGED.*/m.exec(text)?.[0] ?? []].flat());
      if (found.length > 0) obeyed.push({ args, found });
      if (out.includes('FORGED')) shown.push(args.join(' '));
      if (args !== line && out.startsWith('{')) expect(() => void out.trimEnd().split(/\n(?=\{)/).map((one) => JSON.parse(one) as unknown)).not.toThrow(); // prettier-ignore
    }
  }
  expect(obeyed).toEqual([]);
  // They did show it.
  for (const one of ['dlq list', `dlq show ${letter}`, 'tail -n 100 --no-follow', 'debug-event --history 20', 'search FORGED'])
    expect(shown).toContain(one);
  const item = JSON.parse((await program.run(['dlq', 'show', letter, '--format', 'json'])).out) as { entityKey: string };
  expect([EVIL, 'x\x1b[1m']).toContain(item.entityKey);
});

test('every command is among them', async () => {
  const run = new Set(LINES().map((line) => line.filter((word) => /^[a-z-]+$/.test(word) && !word.startsWith('-')).join(' ')));
  const leaves = allCommands(await cliProgram()).filter(({ commands }) => commands.length === 0);
  const left = leaves.map(pathOf).filter((path) => ![...run].some((line) => line === path || line.startsWith(`${path} `)));
  expect(left.filter((path) => !(path.replace(/^fraiseql-observers /, '') in NOT_RUN))).toEqual([]);
});

test('nor does the log for people', async () => {
  const running = program.launch(['start'], { OBSERVERS_LOG_FORMAT: 'pretty', OBSERVERS_PORT: '0', OBSERVERS_STREAM: 'other' });
  await running.waitFor(/odd|event/);
  await running.waitFor(/a delivery|FORGED/);
  await running.end('SIGTERM');
  expect(OBEYED.exec(running.output())?.[0] ?? null).toBeNull();
  expect(running.output()).not.toMatch(/^FORGED/m);
});
