import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MAIN } from './program';

const ROOT = join(__dirname, '../..');

/** What `npm install` makes of a folder of examples/, without the registry. @returns the new folder, which the caller removes */
export function installExample(name: string): string {
  if (!existsSync(MAIN) || !existsSync(join(ROOT, 'types'))) throw new Error('dist or types is missing: npm ci makes them');
  const folder = mkdtempSync(join(tmpdir(), `observers-${name}-`));
  cpSync(join(ROOT, 'examples', name), folder, { recursive: true, filter: (path) => !/node_modules|\/dist(\/|$)/.test(path) });
  mkdirSync(join(folder, 'node_modules'));
  for (const entry of readdirSync(join(ROOT, 'node_modules')))
    symlinkSync(join(ROOT, 'node_modules', entry), join(folder, 'node_modules', entry));
  symlinkSync(ROOT, join(folder, 'node_modules/fraiseql-observers'));
  return folder;
}
