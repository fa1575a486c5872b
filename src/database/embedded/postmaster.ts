import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Backends of a killed postmaster notice its end within a moment. */
const BACKENDS_TIMEOUT = 5_000;

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM';
  }
}

/**
 * Whether a process is the server of a data folder, in which it then works. Where the system does not show that of another user's
 * process, its name must do; and its number alone, where there is no /proc.
 */
export function isPostmaster(pid: number, pgdata: string): boolean {
  if (!isAlive(pid)) return false;
  if (!existsSync('/proc/self/cwd')) return true;
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(pgdata);
  } catch (error) {
    return (error as { code?: string }).code === 'EACCES' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('postgres');
  }
}

/**
 * PostgreSQL refuses to start while any process has the number in its lock file: another one, after a restart of the machine or
 * container; or the dead one itself, which stays as a zombie for ever where a container's first process does not look after orphans. So
 * such a file is removed, once no process works in the data folder any more.
 */
export async function clearStale(pgdata: string): Promise<void> {
  const file = join(pgdata, 'postmaster.pid');
  if (!existsSync(file) || !existsSync('/proc/self/cwd')) return;
  if (isPostmaster(Number(readFileSync(file, 'utf8').split('\n')[0]), pgdata)) return;
  for (const until = Date.now() + BACKENDS_TIMEOUT; someoneWorksIn(pgdata); await new Promise((again) => setTimeout(again, 20)))
    if (Date.now() > until) return;
  rmSync(file, { force: true });
}

function isZombie(pid: number): boolean {
  try {
    return /^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Every process of a server has its data folder as working directory. */
function someoneWorksIn(pgdata: string): boolean {
  const folder = realpathSync(pgdata);
  return readdirSync('/proc').some((entry) => {
    try {
      return /^\d+$/.test(entry) && readlinkSync(`/proc/${entry}/cwd`) === folder;
    } catch {
      return false;
    }
  });
}
