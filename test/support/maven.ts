import { existsSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '../../src/database/postgres';
import { serverUrl } from './database';
import { run } from './program';

/**
 * Has Maven fetch a server once for each machine and user. Maven's own settings say where it comes from. The lock is PostgreSQL's, so that
 * none outlives its process.
 *
 * @param name as people call it, with its version @param home where it is to lie @param fetch runs Maven in a folder of its own, and says what of it is the server
 */
export async function fetchOnce(name: string, home: string, fetch: (folder: string) => MavenRun): Promise<void> {
  const lock = await connect(serverUrl(), 'test');
  try {
    await lock.query('select pg_advisory_lock(hashtext($1))', [`observers test ${home}`]);
    if (existsSync(home)) return requireOwn(home);
    const folder = mkdtempSync(`${home}.new-`);
    try {
      const { args, result } = fetch(folder);
      const { code, out, err } = await run('mvn', ['-B', '-ntp', '-q', ...args], { cwd: folder, env: process.env });
      if (code !== 0) throw new Error(`Maven did not get ${name}:\n${out}${err}`);
      renameSync(join(folder, result), home);
    } finally {
      rmSync(folder, { recursive: true });
    }
  } finally {
    await lock.end();
  }
}

export interface MavenRun {
  readonly args: readonly string[];
  /** Within the folder. */
  readonly result: string;
}

/** What somebody else has put there is not run. */
function requireOwn(folder: string): void {
  if (statSync(folder).uid !== (process.getuid?.() ?? 0)) throw new Error(`${folder} belongs to another user; remove it`);
}
