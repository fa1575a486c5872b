import { eventTypeName } from '../event/envelope';
import { colorsFor, visibleLines, writeTrusted } from '../event/terminal';
import { conditionOf, type Explanation } from '../matching/condition/condition';
import type { EventRun } from '../pipeline/event-run';
import type { Arrival } from './demo-receiver';

const colors = colorsFor(process.stdout.isTTY);

/** Tells on the terminal what happens: the first delivery step by step, the others in a line each. */
export class Narrator {
  /** Commit times by order and status, monotonic; a delivery's way is measured from there. */
  private readonly committed = new Map<string, number>();
  /** The order whose story is told step by step. */
  private firstOrder = '';
  private firstRun: EventRun | null = null;
  private firstArrival: Arrival | null = null;
  private told: (() => void) | null = null;
  /** Resolves when the first delivery has been shown. */
  readonly firstTold = new Promise<void>((resolve) => (this.told = resolve));

  header(version: string, database: string): void {
    this.say(`\n${colors.bold('fraiseql-observers')} ${version}  ${colors.dim(`demo, on an embedded PostgreSQL in ${database}`)}\n`);
  }

  wrote(order: string, sql: string): void {
    this.firstOrder = order;
    this.step('a row is written', colors.cyan(sql));
    this.step('', `${colors.cyan('commit')}`);
  }

  committedAt(order: string, at: number): void {
    this.committed.set(order, at);
    const [oldest] = this.committed.keys();
    if (this.committed.size > 500 && oldest !== undefined) this.committed.delete(oldest);
  }

  event(run: EventRun): void {
    if (run.event.kind !== 'update' || run.event.entityKey !== this.firstOrder || this.firstRun !== null) return;
    this.firstRun = run;
    this.tellFirst();
  }

  arrived(arrival: Arrival): void {
    const key = (JSON.parse(arrival.body) as { entity: { key: string } }).entity.key;
    if (this.firstArrival === null) {
      // What an earlier demo left behind may come first.
      if (key !== this.firstOrder) return;
      this.firstArrival = arrival;
      this.tellFirst();
      return;
    }
    const to = arrival.path === '/flaky' ? 'express-order' : 'order-shipped';
    const what =
      arrival.answered === 204 ? colors.green('delivered, verified') : colors.yellow(`answered ${arrival.answered}, will be retried`);
    const nth = arrival.path === '/flaky' ? `try ${arrival.try}` : '';
    const started = arrival.try === 1 ? this.committed.get(key) : undefined;
    const took = started === undefined ? '' : `${(arrival.at - started).toFixed(1)} ms`;
    const time = new Date().toISOString().slice(11, 19);
    this.say(`  ${colors.dim(time)}  Order ${key.padEnd(5)} ${to.padEnd(14)} ${nth.padEnd(6)} ${what}  ${colors.dim(took)}`);
  }

  commands(command: string, url: string, api: { readonly address: string; readonly tokenFile: string | null }): void {
    this.say(`\n  ${colors.bold('Try next')} ${colors.dim('(in another terminal)')}`);
    const lines = [
      `export DATABASE_URL="${url}"`,
      `${command} status`,
      `${command} debug-event --history 5`,
      `${command} dlq list`,
      'psql "$DATABASE_URL"',
    ];
    const token = api.tokenFile === null ? 'one of OBSERVERS_API_TOKENS' : `the token in ${api.tokenFile}`;
    for (const line of lines) this.say(`    ${line}`);
    this.say(`\n  ${colors.bold('The API')} http://${api.address}/docs  ${colors.dim(`(to change something: ${token})`)}`);
    this.say(`\n  ${colors.dim('Orders go on; express ones go to an endpoint that fails twice, then works. Ctrl-C ends it.')}\n`);
  }

  /** The run is known when its delivery has ended, the arrival a moment earlier: told when both are there. */
  private tellFirst(): void {
    const { firstRun: run, firstArrival: arrival } = this;
    if (run === null || arrival === null) return;
    const { event, results } = run;
    this.step(
      'the event',
      `${colors.bold(eventTypeName(event))}  ${event.entityType} ${event.entityKey}  changed: ${(event.changed ?? []).join(', ')}`,
    );
    results.forEach(({ observer, matched }, i) => {
      const mark = matched ? colors.green('✓') : colors.red('✗');
      this.step(i === 0 ? 'the observers' : '', `${mark} ${observer.name.padEnd(14)} ${colors.dim('when')} ${observer.when}`);
      const condition = conditionOf(observer);
      if (condition === null) return;
      const reasons = leaves(condition.explain({ event, now: Date.now() }));
      this.step('', `  ${' '.repeat(14)} ${colors.dim(`because ${reasons.join(', ')}`)}`);
    });
    const signature = arrival.verified ? colors.green('signature verified') : colors.red('signature NOT valid');
    this.step('the webhook', `POST ${arrival.path}  webhook-id ${arrival.headers['webhook-id']}  ${signature}`);
    this.step('', colors.dim(arrival.body.length > 220 ? `${arrival.body.slice(0, 219)}…` : arrival.body));
    const committed = this.committed.get(event.entityKey);
    if (committed !== undefined)
      this.step(
        'commit to delivery',
        colors.bold(`${(arrival.at - committed).toFixed(1)} ms`) + colors.dim('   (the first one, connections included)'),
      );
    this.told?.();
  }

  private step(label: string, text: string): void {
    this.say(`  ${label.padEnd(19)} ${text}`);
  }

  private say(text: string): void {
    writeTrusted(process.stdout, visibleLines(`${text}\n`));
  }
}

/** The parts that decide, with what they came to: `total > 100 is true`. */
function leaves({ text, value, note, children }: Explanation): string[] {
  const deeper = children.filter(
    (child) => child.children.length > 0 || child.value === 'true' || child.value === 'false' || child.value === 'unknown',
  );
  if (deeper.length > 0) return deeper.flatMap(leaves);
  const inner = children.map((child) => `${child.text} is ${child.value}`).join(', ');
  return [note ?? (inner === '' ? `${text} is ${value}` : inner)];
}
