import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CaptureBench, OPERATIONS, type Cost, type Operation, type Rounds, type Way } from './capture';
import { createTables, type PerKind, type TableKind } from './capture-tables';
import { OUR_VERSION, startVersion } from './postgres-versions';
import { median, perSecond, ratio } from './statistics';

const STATEMENTS = 500;
// 20,000 statements of each kind.
const ROUNDS = Number(process.env['BENCH_CAPTURE_ROUNDS'] ?? 40);
const LARGE = 900;
const SMALL = 20;
const CHECK = { rounds: 12, tries: 3, limit: 1.4 };

interface Row {
  readonly what: string;
  /** Of no trigger, the outbox trigger and ours. */
  readonly values: PerKind<string>;
  readonly ratio: number;
  readonly goal: string;
}

/** What capturing costs beside a bare outbox trigger on these versions, as a page's text. Prints each row when it is known. */
export async function reportCapture(versions: readonly number[]): Promise<string> {
  const results = new Map<number, readonly Row[]>();
  for (const version of versions) {
    process.stdout.write(`PostgreSQL ${version}\n`);
    const rows: Row[] = [];
    const add = (row: Row): void => {
      rows.push(row);
      process.stdout.write(`${line([row.what, ...valuesOf(row), ratio(row.ratio), row.goal])}\n`);
    };
    await withBench(version, (bench) => measure(bench, add));
    results.set(version, rows);
  }
  return page(results);
}

async function measure(bench: CaptureBench, add: (row: Row) => void): Promise<void> {
  const single = async (way: Way, how: string, length: number, what: string): Promise<void> => {
    const costs = await bench.single(ROUNDS, STATEMENTS, length, way);
    for (const operation of OPERATIONS) add(rowOf(`${operation} of ${what}, ${how}: CPU`, costs[operation], 'cpu', '≤ 1.15'));
  };
  await bench.single(4, STATEMENTS, LARGE, 'client');
  await single('alone', 'one in a transaction', LARGE, 'a row of 1 kB');
  await single('together', '100 in a transaction', LARGE, 'a row of 1 kB');
  await single('client', 'by a client', LARGE, 'a row of 1 kB');
  await single('alone', 'one in a transaction', SMALL, 'a small row');
  const bulk = await bench.bulk(7, LARGE);
  for (const operation of OPERATIONS) {
    add(rowOf(`${operation} of 10,000 rows of 1 kB: CPU`, bulk[operation], 'cpu', '≤ 1.0'));
    add(rowOf(`${operation} of 10,000 rows of 1 kB: time`, bulk[operation], 'wall', '≤ 1.0'));
  }
  const rates = await bench.writers(5, 4);
  const rate = (kind: TableKind): string => perSecond(median(rates.map((each) => each[kind])));
  add({
    what: 'eight writers: transactions',
    values: { none: rate('none'), outbox: rate('outbox'), ours: rate('ours') },
    ratio: median(rates.map(({ outbox, ours }) => ours / outbox)),
    goal: '≥ 1.0',
  });
}

/**
 * Whether a client's statement of one row costs the backend at most 1.4 times what it costs with the outbox trigger, in one of three tries: what
 * ends `.ci/run` when it does not. As an application sends it: a loop in the server leaves out what each statement costs anyway.
 */
export async function checkCapture(): Promise<boolean> {
  return withBench(OUR_VERSION, async (bench) => {
    await bench.single(2, STATEMENTS, LARGE, 'client');
    const tooMuch = new Set<Operation>(OPERATIONS);
    for (let attempt = 1; attempt <= CHECK.tries && tooMuch.size > 0; attempt++) {
      const costs = await bench.single(CHECK.rounds, STATEMENTS, LARGE, 'client');
      const rows = OPERATIONS.map((operation) => [operation, rowOf(operation, costs[operation], 'cpu', '')] as const);
      for (const [operation, row] of rows) if (row.ratio <= CHECK.limit) tooMuch.delete(operation);
      const told = rows.map(([operation, row]) => `${operation} ${ratio(row.ratio)} (${valuesOf(row).join(', ')})`);
      process.stdout.write(
        `try ${attempt}: CPU of a client's statement of one row, ours / outbox: ${told.join('; ')}; at most ${CHECK.limit}\n`,
      );
    }
    if (tooMuch.size === 0) return true;
    process.stdout.write(`${[...tooMuch].join(', ')}: more than ${CHECK.limit} in each of ${CHECK.tries} tries\n`);
    return false;
  });
}

async function withBench<T>(version: number, work: (bench: CaptureBench) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'observers-bench-'));
  const postgres = await startVersion(version, join(folder, 'data'));
  try {
    await createTables(postgres.url);
    const bench = await CaptureBench.connect(postgres.url);
    try {
      return await work(bench);
    } finally {
      await bench.end();
    }
  } finally {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function rowOf(what: string, rounds: Rounds, part: keyof Cost, goal: string): Row {
  const of = (kind: TableKind): string => duration(median(rounds.map((costs) => costs[kind][part])));
  const values = { none: of('none'), outbox: of('outbox'), ours: of('ours') };
  // Of each round, not of the medians: what else the machine did in a round slowed both.
  return { what, values, ratio: median(rounds.map(({ ours, outbox }) => ours[part] / outbox[part])), goal };
}

function page(results: ReadonlyMap<number, readonly Row[]>): string {
  const versions = [...results.keys()];
  const [first = []] = results.values();
  const ratios = first.map(({ what, goal }, i) =>
    line([what, ...versions.map((version) => ratio(results.get(version)?.[i]?.ratio ?? NaN)), goal]),
  );
  const figures = first.map(({ what }, i) => line([what, ...versions.map((version) => valuesOf(results.get(version)![i]!).join(' · '))]));
  const head = (ends: readonly string[]): string => {
    const names = ['', ...versions.map((version) => `PostgreSQL ${version}`), ...ends];
    return `${line(names)}\n${line(names.map(() => '---'))}`;
  };
  return `Ours / outbox:\n\n${head(['goal'])}\n${ratios.join('\n')}\n\nNo trigger · outbox · ours:\n\n${head([])}\n${figures.join('\n')}`;
}

function valuesOf({ values }: Row): readonly string[] {
  return [values.none, values.outbox, values.ours];
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function duration(us: number): string {
  return us < 1_000 ? `${us.toFixed(us < 100 ? 1 : 0)} µs` : `${(us / 1_000).toFixed(0)} ms`;
}
