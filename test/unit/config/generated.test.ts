import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jsonSchema } from '../../../src/config/schema/observers-file';
import { envExample } from '../../../src/config/settings/resolve';

const ROOT = join(__dirname, '../../..');

test('observers.schema.json is current (npm run schema)', () => {
  expect(readFileSync(join(ROOT, 'observers.schema.json'), 'utf8')).toBe(jsonSchema());
});

test('.env.example is current (npm run schema)', () => {
  expect(readFileSync(join(ROOT, '.env.example'), 'utf8')).toBe(envExample());
});
