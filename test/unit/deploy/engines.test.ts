import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { minVersion, satisfies } from 'semver';

const ROOT = join(__dirname, '../../..');
const read = (file: string): unknown => JSON.parse(readFileSync(join(ROOT, file), 'utf8'));

test('what is installed runs on the oldest Node of each line that the package supports: npm warns of what does not, and refuses it with engine-strict', () => {
  const { engines } = read('package.json') as { engines: { node: string } };
  const { packages } = read('package-lock.json') as { packages: Record<string, { engines?: { node?: string } }> };
  const oldest = engines.node.split('||').map((line) => minVersion(line)!.version);
  expect(oldest).toHaveLength(3);
  const refused = Object.entries(packages).flatMap(([path, { engines: { node = '*' } = {} }]) =>
    oldest.filter((version) => !satisfies(version, node)).map((version) => `${path} wants Node ${node}, and not ${version}`),
  );
  expect(refused).toEqual([]);
});
