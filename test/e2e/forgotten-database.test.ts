import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServiceProcess } from '../support/service-process';
import { until } from '../support/until';

test('a service without DATABASE_URL warns that it works on a database of its own, and says where the token of its API is', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'observers-forgotten-'));
  writeFileSync(join(folder, 'observers.yaml'), 'version: 1\nobservers: []\n');
  const service = startServiceProcess(folder, {});
  try {
    await until(() => service.log.some(({ msg }) => msg === 'started'));
    expect(service.log).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        msg: expect.stringMatching(/^DATABASE_URL is not set: .*no database of yours$/) as unknown,
      }),
    );
    expect(service.log.find(({ msg }) => msg === 'started')).toMatchObject({ api_token_file: '.observers/api-token' });
  } finally {
    await service.end();
    rmSync(folder, { recursive: true, force: true });
  }
});
