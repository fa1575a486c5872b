import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A server that a test starts for itself, and that `npm ci` does not bring. */
export interface ForeignServer {
  readonly name: string;
  /** What has to be installed for it on this machine; null when it is all there. */
  missing(): string | null;
}

/**
 * `describe` for tests that need a server which may be missing: on a laptop they are skipped, with one line that says so; with `CI=true`,
 * where nobody would read that line, they fail.
 */
export function describeWith(server: ForeignServer, tests: () => void, what = server.name): void {
  const missing = server.missing();
  if (missing === null) return describe(what, tests);
  const message = `${server.name} is missing: install ${missing}`;
  if (process.env['CI'] === 'true') {
    test(`${server.name} is installed`, () => {
      throw new Error(message);
    });
    return;
  }
  // Not by console.warn, of which jest makes a paragraph with a stack.
  process.stderr.write(`\nSKIPPED, ${message}\n`);
  describe.skip(what, tests);
}

/** A server that is one program, of the same name as its package. */
export function program(name: string): ForeignServer {
  return { name, missing: () => (isOnPath(name) ? null : name) };
}

export function isOnPath(name: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
