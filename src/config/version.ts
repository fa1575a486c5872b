import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The version of this package: its package.json is the nearest one above, in the source tree as in `dist`. */
export const VERSION: string = readVersion(__dirname);

function readVersion(folder: string): string {
  for (let at = folder; ; at = join(at, '..')) {
    try {
      return (JSON.parse(readFileSync(join(at, 'package.json'), 'utf8')) as { version: string }).version;
    } catch (error) {
      if (join(at, '..') === at) throw error;
    }
  }
}
