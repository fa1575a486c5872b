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
 * In a container whose first process does not look after orphans, a killed postmaster stays as a zombie for ever. PostgreSQL takes it for
 * alive and refuses to start; so its lock file is removed, once no process works in the data folder any more.
 */
export async function clearZombie(pgdata: string): Promise<void> {
  const file = join(pgdata, 'postmaster.pid');
  if (!existsSync(file) || !isZombie(Number(readFileSync(file, 'utf8').split('\n')[0]))) return;
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
