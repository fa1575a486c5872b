import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const MAIN = join(__dirname, '../../dist/src/main.js');

/** The built program as a process of its own, as it is run. */
export interface ServiceProcess {
  readonly pid: number;
  /** What it logged, line by line. */
  readonly log: Record<string, unknown>[];
  /** Whether it runs, or is stopped. */
  readonly alive: boolean;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, or SIGKILL when it is stopped or asked to; resolves when it is gone. */
  end(signal?: NodeJS.Signals): Promise<void>;
}

/** @param folder holds observers.yaml */
export function startServiceProcess(folder: string, env: Record<string, string>): ServiceProcess {
  if (!existsSync(MAIN)) throw new Error('dist is missing: npm run build (npm ci does it)');
  const all = { PATH: process.env['PATH'], OBSERVERS_PORT: '0', OBSERVERS_LOG_LEVEL: 'info', OBSERVERS_LOG_FORMAT: 'json', ...env };
  const child: ChildProcess = spawn(process.execPath, [MAIN, 'start', '--apply'], {
    cwd: folder,
    env: all,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const log: Record<string, unknown>[] = [];
  let rest = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('{')) log.push(JSON.parse(line) as Record<string, unknown>);
    if (process.env['TEST_LOG']) process.stdout.write(text);
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    pid: child.pid ?? 0,
    log,
    get alive() {
      return child.exitCode === null && child.signalCode === null;
    },
    signal: (signal) => void child.kill(signal),
    end: (signal = 'SIGTERM') => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      return ended;
    },
  };
}
