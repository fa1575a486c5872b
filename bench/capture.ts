import { readFileSync } from 'node:fs';
import { Client, type QueryConfig } from 'pg';
import { KINDS, tableOf, type PerKind, type TableKind } from './capture-tables';
import { Child } from './children';

export const OPERATIONS = ['insert', 'update', 'delete'] as const;
export type Operation = (typeof OPERATIONS)[number];

/** Microseconds that the backend's processor and the clock took. */
export interface Cost {
  readonly cpu: number;
  readonly wall: number;
}

/** One cost of each kind for each round, in the order of the rounds. */
export type Rounds = readonly PerKind<Cost>[];
export type Measured = Readonly<Record<Operation, Rounds>>;

/**
 * `alone`: a loop in the server that commits each statement. `together`: one that commits a hundred. `client`: a client's prepared
 * statements, each a transaction of its own; talking to the client costs the backend as much as the outbox trigger does.
 */
export type Way = 'alone' | 'together' | 'client';

const CUSTOMER = "'00000000-0000-4000-8000-000000000001'";
type Values = readonly [id: string, ...others: string[]];
const SQL: Readonly<Record<Operation, (table: string, values: Values) => string>> = {
  insert: (table, values) => `insert into ${table} (id, customer, status, total, placed_at, note) values (${values.join(', ')})`,
  update: (table, [id]) => `update ${table} set status = 'shipped' where id = ${id}`,
  delete: (table, [id]) => `delete from ${table} where id = ${id}`,
};
const BULK = 10_000;
const WORDS =
  'order paid shipped customer asks for delivery on friday please ring twice the gate code is at reception invoice by mail'.split(' ');

/** Measures what the three tables of one database cost, through one connection; ids only grow, so that calls do not meet. */
export class CaptureBench {
  private next = 1;

  private constructor(
    private readonly url: string,
    private readonly client: Client,
    private readonly pid: number,
  ) {}

  static async connect(url: string): Promise<CaptureBench> {
    const client = new Client({ connectionString: url });
    await client.connect();
    // Waiting for the disk is no work of the processor, and differs from machine to machine.
    await client.query('set synchronous_commit = off');
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    return new CaptureBench(url, client, rows[0]!.pid);
  }

  end(): Promise<void> {
    return this.client.end();
  }

  /**
   * Statements of one row. All rows of all rounds are inserted, then each is updated once and deleted once; within a round the kinds take
   * turns, and another one begins each time.
   */
  async single(rounds: number, statements: number, length: number, way: Way): Promise<Measured> {
    const begin = this.next;
    this.next += rounds * statements;
    const run = async (operation: Operation): Promise<Rounds> => {
      const costs: PerKind<Cost>[] = [];
      for (let round = 0; round < rounds; round++) {
        const first = begin + round * statements;
        costs.push(
          await this.inTurn(round, async (kind) => {
            if (way !== 'client')
              await this.client.query(loopOf(operation, tableOf(kind), first, statements, length, way === 'alone' ? 1 : 100));
            else for (let id = first; id < first + statements; id++) await this.client.query(statementOf(operation, kind, id, length));
            return statements;
          }),
        );
      }
      return costs;
    };
    return { insert: await run('insert'), update: await run('update'), delete: await run('delete') };
  }

  /** Statements of ten thousand rows; the cost is that of a statement. */
  async bulk(rounds: number, length: number): Promise<Measured> {
    const costs: Record<Operation, PerKind<Cost>[]> = { insert: [], update: [], delete: [] };
    for (let round = 0; round < rounds; round++) {
      const first = this.next;
      this.next += BULK;
      const run = (text: (table: string) => string): Promise<PerKind<Cost>> =>
        this.inTurn(round, async (kind) => {
          await this.client.query(text(tableOf(kind)));
          return 1;
        });
      const range = `between ${first} and ${first + BULK - 1}`;
      costs.insert.push(
        await run(
          (table) => `insert into ${table} (id, customer, status, total, placed_at, note)
            select g, '00000000-0000-4000-8000-000000000001', 'new', 249.5, '2026-01-01T12:00:00Z', left('${noteOf(0, length)}', ${length - 8}) || g
            from generate_series(${first}, ${first + BULK - 1}) g`,
        ),
      );
      costs.update.push(await run((table) => `update ${table} set status = 'shipped' where id ${range}`));
      costs.delete.push(await run((table) => `delete from ${table} where id ${range}`));
      await this.client.query('vacuum');
    }
    return costs;
  }

  /** Commits per second of eight connections that each insert one row at a time, durably. */
  async writers(rounds: number, seconds: number): Promise<readonly PerKind<number>[]> {
    const rates: PerKind<number>[] = [];
    for (let round = 0; round < rounds; round++) {
      const rate = {} as Record<TableKind, number>;
      for (const kind of turnsOf(round)) {
        const writers = Child.start('capture-writers', [this.url, tableOf(kind), '8', String(seconds), String(this.next)]);
        const { written, seconds: took } = await writers.next<{ written: number; seconds: number }>();
        await writers.end();
        this.next += written;
        rate[kind] = written / took;
      }
      rates.push(rate);
    }
    return rates;
  }

  private async inTurn(round: number, work: (kind: TableKind) => Promise<number>): Promise<PerKind<Cost>> {
    const costs = {} as Record<TableKind, Cost>;
    for (const kind of turnsOf(round)) {
      const [cpu, wall] = [backendCpu(this.pid), performance.now()];
      const count = await work(kind);
      costs[kind] = { cpu: (backendCpu(this.pid) - cpu) / count, wall: ((performance.now() - wall) * 1_000) / count };
    }
    return costs;
  }
}

/** A loop in the server: nothing but the statement and its commits. */
function loopOf(operation: Operation, table: string, first: number, count: number, length: number, commit: number): string {
  return `do $$
    declare filler text := '${noteOf(first, length)}';
    begin
      for i in ${first} .. ${first + count - 1} loop
        ${SQL[operation](table, ['i', CUSTOMER, "'new'", '249.5', "'2026-01-01T12:00:00Z'", 'filler'])};
        if i % ${commit} = 0 then commit; end if;
      end loop;
    end $$`;
}

/** A prepared statement, as an application sends it. */
function statementOf(operation: Operation, kind: TableKind, id: number, length: number): QueryConfig {
  const text = SQL[operation](tableOf(kind), ['$1', CUSTOMER, "'new'", '249.5', "'2026-01-01T12:00:00Z'", '$2']);
  return { name: `${operation} ${kind}`, text, values: operation === 'insert' ? [id, noteOf(id, length)] : [id] };
}

function turnsOf(round: number): readonly TableKind[] {
  return KINDS.map((_kind, i) => KINDS[(i + round) % KINDS.length]!);
}

/** Words, which the database can press about as well as what people write. */
export function noteOf(id: number, length: number): string {
  let text = '';
  for (let i = id; text.length < length; i = (i * 31 + 7) % 1_000_003) text += `${WORDS[i % WORDS.length]} `;
  return text.slice(0, length);
}

/** Microseconds of one backend. It waits for us, so the figure is complete. `schedstat` counts nanoseconds, `stat` only ticks of 10 ms. */
function backendCpu(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1_000;
  } catch {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
      .map(Number);
    return ((fields[11] ?? 0) + (fields[12] ?? 0)) * 10_000;
  }
}
