import { spawnSync, type SpawnOptions } from 'node:child_process';
import { accessSync, chownSync, constants, cpSync, existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ExitCode, OperatorError } from '../../event/errors';

/** How to run a PostgreSQL program as somebody it accepts. */
export interface Runner {
  /** Turns program and arguments into what is spawned. */
  wrap(
    program: string,
    args: readonly string[],
  ): { readonly command: string; readonly args: readonly string[]; readonly options: SpawnOptions };
  /** The folder that holds `bin`. */
  readonly native: string;
}

const UNPRIVILEGED = 1000;
/** `nobody`, on every Linux and BSD. */
const NOBODY = 65_534;

/**
 * PostgreSQL refuses to run as root. In a user namespace root is somebody else for it, and still root for the file system, so that
 * closed folders stay usable; where namespaces are forbidden (many containers) it runs as `nobody`, which needs open folders.
 *
 * @throws OperatorError when neither works, with what to do
 */
export function unprivilegedRunner(native: string, dataDir: string, allowNamespaces = true): Runner {
  if (process.getuid?.() !== 0) return { native, wrap: (program, args) => ({ command: program, args, options: {} }) };
  const map = ['--user', `--map-user=${UNPRIVILEGED}`, `--map-group=${UNPRIVILEGED}`];
  if (allowNamespaces && spawnSync('unshare', [...map, 'true'], { stdio: 'ignore' }).status === 0) {
    return { native, wrap: (program, args) => ({ command: 'unshare', args: [...map, program, ...args], options: {} }) };
  }
  return asNobody(native, dataDir);
}

function asNobody(native: string, dataDir: string): Runner {
  const open = closedFolderAbove(dataDir);
  if (open !== null) {
    const remedy =
      'Run as an ordinary user, set OBSERVERS_DATA_DIR to a folder below one that all may enter (such as /var/lib), or set DATABASE_URL.';
    throw new OperatorError(`PostgreSQL may not run as root, and user "nobody" may not enter ${open}`, remedy, ExitCode.configuration);
  }
  chownSync(dirname(dataDir), NOBODY, NOBODY);
  const usable = closedFolderAbove(join(native, 'bin')) === null ? native : copyOf(native, dirname(dataDir));
  return { native: usable, wrap: (program, args) => ({ command: program, args, options: { uid: NOBODY, gid: NOBODY } }) };
}

/** The nearest folder on the way that others may not enter. */
function closedFolderAbove(path: string): string | null {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (existsSync(folder) && (statSync(folder).mode & 0o001) === 0 && statSync(folder).uid !== NOBODY) return folder;
    if (dirname(folder) === folder) return null;
  }
}

function copyOf(native: string, folder: string): string {
  const copy = join(folder, 'postgres');
  if (!existsSync(join(copy, 'bin', 'postgres'))) cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}

/** @throws OperatorError when the folder cannot be written */
export function requireWritable(folder: string): void {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new OperatorError(
      `the data folder ${folder} cannot be written`,
      'Make it writable, or set OBSERVERS_DATA_DIR to another folder.',
      ExitCode.configuration,
      { cause: error },
    );
  }
}
