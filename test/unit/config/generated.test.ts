import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jsonSchema } from '../../../src/config/schema';
import { envExample, SETTINGS } from '../../../src/config/settings';

const ROOT = join(__dirname, '../../..');

test('observers.schema.json is current (npm run schema)', () => {
  expect(readFileSync(join(ROOT, 'observers.schema.json'), 'utf8')).toBe(jsonSchema());
});

test('.env.example is current (npm run schema)', () => {
  expect(readFileSync(join(ROOT, '.env.example'), 'utf8')).toBe(envExample());
});

test.each(Object.keys(SETTINGS))('the setting %s is read by some code', (name) => {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.startsWith('config/'),
  );
  const code = files.map((file) => readFileSync(join(ROOT, 'src', file), 'utf8')).join('\n');
  expect(code).toMatch(new RegExp(`settings\\.${name}\\b|\\{[^{}]*\\b${name}\\b[^{}]*\\} = (this\\.(deps\\.)?)?(settings|loadSettings)`));
});
