import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { startEmbeddedPostgres } from '../src/database/embedded/embedded-postgres';
import { measureLookups } from './lookups';
import { measureRedis, type RedisTimes } from './redis';
import { checkCapture, reportCapture } from './capture-report';
import { BACKLOG, Bench, LARGE_BACKLOG, SECONDS } from './measurements';
import { OUR_VERSION, packageOf } from './postgres-versions';
import { median, perSecond, ratio } from './statistics';

// Each measurement runs the hand-written loop and the service in turn, and only their ratio means much: the machines that run this
// are shared. BENCH_SECONDS shortens or lengthens the timed parts; `npm run bench -- drain writers` measures only those,
// and a number is the version of PostgreSQL: `npm run bench -- retention 15`.
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3);

async function rounds<T>(measure: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let round = 0; round < ROUNDS; round++) results.push(await measure());
  return results;
}

interface Row {
  readonly what: string;
  readonly bare: string;
  readonly service: string;
  readonly ratio: string;
  readonly goal: string;
}

type Measurement = (bench: Bench) => Promise<Row[]>;

const MEASUREMENTS: Readonly<Record<string, Measurement>> = {
  async 'end-to-end'(bench) {
    const ends = await rounds(async () => ({ bare: await bench.endToEnd('bare'), service: await bench.endToEnd('service') }));
    const cost = (part: 'postgres' | 'node', what: string): Row => {
      const [bare, service] = [median(ends.map((r) => r.bare[part])), median(ends.map((r) => r.service[part]))];
      const us = (value: number): string => `${Math.round(value)} µs`;
      return { what, bare: us(bare), service: us(service), ratio: ratio(service / bare), goal: '' };
    };
    return [
      {
        what: 'end to end, 8 writers',
        bare: perSecond(median(ends.map((r) => r.bare.rate))),
        service: perSecond(median(ends.map((r) => r.service.rate))),
        ratio: ratio(median(ends.map((r) => r.service.rate / r.bare.rate))),
        goal: '≥ 0.85',
      },
      cost('postgres', 'CPU of PostgreSQL per event (writers’ included)'),
      cost('node', 'CPU of Node per event'),
    ];
  },

  async drain(bench) {
    const drains = await rounds(async () => ({ bare: await bench.drain('bare'), service: await bench.drain('service') }));
    return [
      {
        what: `drain of ${BACKLOG.toLocaleString('en')}`,
        bare: perSecond(median(drains.map((r) => r.bare))),
        service: perSecond(median(drains.map((r) => r.service))),
        ratio: ratio(median(drains.map((r) => r.service / r.bare))),
        goal: '≥ 1.0',
      },
    ];
  },

  async latency(bench) {
    const waits = await rounds(async () => ({ bare: await bench.latency('bare'), service: await bench.latency('service') }));
    return (['p50', 'p99'] as const).map((part) => {
      const [bare, service] = [median(waits.map((r) => r.bare[part])), median(waits.map((r) => r.service[part]))];
      return {
        what: `commit to receiver ${part} at 200/s`,
        bare: `${bare.toFixed(1)} ms`,
        service: `${service.toFixed(1)} ms`,
        ratio: ratio(service / bare),
        goal: part === 'p99' ? '≤ 10 ms' : '',
      };
    });
  },

  async hanging(bench) {
    const waits = await rounds(async () => ({ healthy: await bench.latencyBeside(false), beside: await bench.latencyBeside(true) }));
    return (['p50', 'p99'] as const).map((part) => {
      const [healthy, beside] = [median(waits.map((r) => r.healthy[part])), median(waits.map((r) => r.beside[part]))];
      return {
        what: `${part} of 10 endpoints: beside 10 that work, beside 10 that hang`,
        bare: `${healthy.toFixed(1)} ms`,
        service: `${beside.toFixed(1)} ms`,
        ratio: ratio(median(waits.map((r) => r.beside[part] / r.healthy[part]))),
        goal: part === 'p99' ? '≤ 1.2' : '',
      };
    });
  },

  async concurrent(bench) {
    const waits = await rounds(async () => ({ one: await bench.latencyOfActions(1), three: await bench.latencyOfActions(3) }));
    const [one, three] = [median(waits.map((r) => r.one.p50)), median(waits.map((r) => r.three.p50))];
    return [
      {
        what: 'p50 until all is answered: one action of 100 ms, three of them',
        bare: `${one.toFixed(1)} ms`,
        service: `${three.toFixed(1)} ms`,
        ratio: ratio(three / one),
        goal: '≈ 1, not 3',
      },
    ];
  },

  async lookups() {
    const times = await rounds(measureLookups);
    const asked = median(times.map((r) => r.asked));
    return (['hit', 'hit99'] as const).map((part) => {
      const hit = median(times.map((r) => r[part]));
      return {
        what: `a look-up, asked for (p50), and from the cache (${part === 'hit' ? 'p50' : 'p99'})`,
        bare: `${Math.round(asked * 1_000)} µs`,
        service: `${(hit * 1_000).toFixed(1)} µs`,
        ratio: (hit / asked).toFixed(3),
        goal: part === 'hit99' ? '< 2 ms' : '',
      };
    });
  },

  async writers(bench) {
    const writes = await rounds(async () => ({ plain: await bench.writers(false), captured: await bench.writers(true) }));
    const loss = median(writes.map(({ plain, captured }) => 1 - captured / plain));
    return [
      {
        what: 'writers alone: no trigger, captured',
        bare: perSecond(median(writes.map((r) => r.plain))),
        service: perSecond(median(writes.map((r) => r.captured))),
        ratio: `−${Math.round(loss * 100)} %`,
        goal: '≤ 35 %',
      },
    ];
  },

  async retention(bench) {
    const waits = await rounds(async () => ({ without: await bench.retention(false), dropping: await bench.retention(true) }));
    const cut = median(waits.map((r) => r.dropping.cut));
    return (['p50', 'p99'] as const).map((part) => {
      const [without, dropping] = [median(waits.map((r) => r.without[part])), median(waits.map((r) => r.dropping[part]))];
      return {
        what: `${part} at 1,000/s: an old day is kept, and while a day of attempts is dropped and ${cut.toLocaleString('en')} changes are cut`,
        bare: `${without.toFixed(1)} ms`,
        service: `${dropping.toFixed(1)} ms`,
        ratio: ratio(median(waits.map((r) => r.dropping[part] / r.without[part]))),
        goal: part === 'p99' ? '≈ 1' : '',
      };
    });
  },

  async memory(bench) {
    const what = `peak memory with a backlog of ${LARGE_BACKLOG.toLocaleString('en')}`;
    return [{ what, bare: '', service: `${Math.round((await bench.memory()) / 1024 ** 2)} MB`, ratio: '', goal: '≤ 300 MB' }];
  },
};

function today(): string {
  return new Date().toISOString().slice(0, 10);
}

function machine(): string {
  return `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, ${Math.round(totalmem() / 1024 ** 3)} GB, Node ${process.version}`;
}

function report(rows: readonly Row[]): string {
  const table = rows.map(line).join('\n');
  return `Measured ${today()} with \`npm run bench\` on ${machine()}, PostgreSQL 18, everything on one machine; medians of ${ROUNDS} rounds of ${SECONDS} s, baseline and service in turn.

| | bare loop | service | ratio | goal |
|---|---|---|---|---|
${table}
`;
}

function line({ what, bare, service, ratio, goal }: Row): string {
  return `| ${[what, bare, service, ratio, goal].join(' | ')} |`;
}

async function measure(bench: Bench, names: readonly string[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of names) {
    const measured = await MEASUREMENTS[name]?.(bench);
    if (measured === undefined) throw new Error(`no measurement "${name}"; there are ${Object.keys(MEASUREMENTS).join(', ')}`);
    for (const row of measured) process.stdout.write(`${line(row)}\n`);
    rows.push(...measured);
  }
  return rows;
}

async function main(): Promise<void> {
  const chosen = process.argv.slice(2).filter((word) => process.argv[2] === 'capture' || !/^\d+$/.test(word));
  const version = Number(process.argv.slice(2).find((word) => /^\d+$/.test(word)) ?? OUR_VERSION);
  if (chosen[0] === 'capture') return capture(chosen.slice(1));
  if (chosen[0] === 'redis') return redis();
  const folder = mkdtempSync(join(tmpdir(), 'observers-bench-'));
  const postgres = await startEmbeddedPostgres({
    dataDir: join(folder, 'data'),
    settings: { shared_buffers: '512MB', max_wal_size: '4GB' },
    ...packageOf(version),
  });
  try {
    const rows = await measure(new Bench(folder, postgres), chosen.length > 0 ? chosen : Object.keys(MEASUREMENTS));
    if (chosen.length > 0) return;
    const text = report(rows);
    await writeSection('bench', text);
    process.stdout.write(`\n${text}\n`);
  } finally {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `capture [version …] [--check | --write]`: measures on 18, or on the versions named. */
async function capture(args: readonly string[]): Promise<void> {
  if (args.includes('--check')) {
    process.exitCode = (await checkCapture()) ? 0 : 1;
    return;
  }
  const versions = args.filter((argument) => argument !== '--write').map(Number);
  const table = await reportCapture(versions.length > 0 ? versions : [18]);
  if (args.includes('--write'))
    await writeSection('bench capture', `Measured ${today()} with \`npm run bench -- capture\` on ${machine()}.\n\n${table}\n`);
}

/** What Redis answers, beside asking and PostgreSQL; writes its table. */
async function redis(): Promise<void> {
  const all = await rounds(measureRedis);
  const shown = (way: keyof RedisTimes, part: 'p50' | 'p99'): string => {
    const milliseconds = median(all.map((times) => times[way][part]));
    return milliseconds < 0.1 ? `${(milliseconds * 1_000).toFixed(1)} µs` : `${milliseconds.toFixed(2)} ms`;
  };
  const row = (what: string, way: keyof RedisTimes, goal: string): string =>
    `| ${[what, shown(way, 'p50'), shown(way, 'p99'), goal].join(' | ')} |`;
  const table = [
    '| | p50 | p99 | goal |',
    '|---|---|---|---|',
    row('a look-up, asked for by HTTP, and stored in both tiers', 'asked', ''),
    row('from the first tier (memory)', 'memory', '≤ 20 µs'),
    row('from the second tier (Redis)', 'redis', 'p99 ≤ 2 ms'),
    row('a dedup key, claimed and done, in Redis', 'claimRedis', ''),
    row('the same in PostgreSQL', 'claimPostgres', ''),
  ].join('\n');
  const text = `Measured ${today()} with \`npm run bench -- redis\` on ${machine()}, everything on one machine, one call after the other; medians of ${ROUNDS} rounds.\n\n${table}\n`;
  await writeSection('bench redis', text);
  process.stdout.write(`${text}\n`);
}

/** Replaces what stands between two comments of docs/performance.md. */
async function writeSection(name: string, text: string): Promise<void> {
  const page = join(process.cwd(), 'docs/performance.md');
  const written = readFileSync(page, 'utf8').replace(
    new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`),
    (_all, open: string, close: string) => `${open}\n${text}\n${close}`,
  );
  writeFileSync(page, await format(written, { ...(await resolveConfig(page)), filepath: page }));
}

void main();
