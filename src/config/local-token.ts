import { randomBytes } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Who can read the file may change things by the API: nobody but the user of the service. */
const OWN = 0o600;
const TOKEN = /^[\w-]{32,512}$/;

/** Where a service that was given no tokens keeps the one that it has made. */
export function localTokenFile(dataDir: string): string {
  return join(dataDir, 'api-token');
}

/** The token in the data folder. @returns null when there is none, or others may read it */
export function readLocalToken(dataDir: string): string | null {
  const file = localTokenFile(dataDir);
  try {
    // Windows has no such rights.
    if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) return null;
    const token = readFileSync(file, 'utf8').trim();
    return TOKEN.test(token) ? token : null;
  } catch {
    return null;
  }
}

/**
 * The same, made where there is none: whoever reads files of this user may write by the API of this machine, and nobody else. Several services with
 * one folder have one token: the file is made whole, beside, and given its name only where nobody has it.
 *
 * @throws the error of the file system
 */
export function ensureLocalToken(dataDir: string): string {
  const known = readLocalToken(dataDir);
  if (known !== null) return known;
  const file = localTokenFile(dataDir);
  mkdirSync(dataDir, { recursive: true });
  const made = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(made, `${randomBytes(32).toString('base64url')}\n`, { mode: OWN, flag: 'wx' });
  try {
    chmodSync(made, OWN);
    // One that others could read is known to them.
    if (readLocalToken(dataDir) === null) rmSync(file, { force: true });
    linkSync(made, file);
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST') throw error;
  } finally {
    rmSync(made, { force: true });
  }
  return readFileSync(file, 'utf8').trim();
}
