import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SETTINGS } from '../../../src/config/settings';

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('config/settings.ts'))
  .map((name) => readFileSync(join('src', name), 'utf8'))
  .join('\n');
const documentation = readFileSync('docs/configuration.md', 'utf8');
const example = readFileSync('.env.example', 'utf8');

describe('every setting', () => {
  it.each(Object.entries(SETTINGS))('%s is read by the product, and documented', (name, { variable }) => {
    // As `settings.name`, or taken out of the settings by its name.
    expect(sources).toMatch(
      new RegExp(`settings\\.${name}\\b|\\{[^}]*\\b${name}\\b[^}]*\\} = (\\w+\\.)*settings|\\{[^}]*\\b${name}\\b[^}]*\\} = loadSettings`),
    );
    expect(documentation).toContain(`\`${variable}\``);
    expect(example).toContain(variable);
  });
});
