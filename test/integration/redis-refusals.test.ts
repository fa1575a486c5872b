import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Settings } from '../../src/config/settings';
import { ExitCode, type OperatorError } from '../../src/event/errors';
import { createAuthority } from '../support/certificate';
import { describeWith, program } from '../support/missing-server';
import { redisClientOf } from '../support/redis-clients';
import { startRedis, type TestRedis } from '../support/redis-server';
import { freePort, SpawnedServer } from '../support/spawned-server';
import { until } from '../support/until';

/** What a start says: its error, what to do, and its exit code. */
const refusal = async (url: string, changed: Partial<Settings> = {}): Promise<string> => {
  const client = redisClientOf('dedup', url, changed);
  try {
    await client.open('OBSERVERS_DEDUP_DRIVER');
    return 'it started';
  } catch (error) {
    const { message, remedy, exitCode } = error as OperatorError;
    expect(message).toMatch(/^OBSERVERS_DEDUP_DRIVER=redis: /);
    return `${message.replace(/^OBSERVERS_DEDUP_DRIVER=redis: /, '')} → ${remedy} (${exitCode})`;
  } finally {
    client.close();
  }
};

describeWith(program('redis-server'), () => {
  let redis: TestRedis;
  beforeAll(async () => void (redis = await startRedis()));
  afterAll(() => redis.close());

  test('nobody is there', async () => {
    expect(await refusal('redis://127.0.0.1:9')).toMatch(
      /^the Redis of REDIS_URL cannot be reached: .*ECONNREFUSED.* → Is it running.*\(3\)$/,
    );
    expect(await refusal('redis://127.0.0.1:9,127.0.0.1:10')).toMatch(/^the Redis of REDIS_URL cannot be reached/);
    expect(await refusal('redis-sentinel://127.0.0.1:9/0#shop')).toMatch(/^no sentinel in REDIS_URL names a master that is there/);
  });

  test('of several hosts the first that answers is no node of a cluster', async () => {
    expect(await refusal(`redis://127.0.0.1:9,127.0.0.1:${redis.port}`)).toMatch(/no node of a cluster/);
  });

  test('a password, and a user that may not', async () => {
    await redis.client.call('ACL', 'SETUSER', 'mute', 'on', '>right', '~other:*', '+@all');
    await redis.client.config('SET', 'requirepass', 'right');
    const at = (login: string): string => redis.url.replace('//', `//${login}@`);
    const refused = /^Redis does not let the user and password of REDIS_URL do it: /;
    for (const [login, word] of [
      ['', 'NOAUTH'],
      [':wrong', 'WRONGPASS'],
      ['mute:right', 'NOPERM'],
    ] as const) {
      const said = await refusal(login === '' ? redis.url : at(login));
      expect(said).toMatch(refused);
      expect(said).toContain(word);
      expect(said).toContain(`(${ExitCode.configuration})`);
    }
    expect(await refusal(at(':right'))).toBe('it started');
    const allowed =
      '~observers:* &observers:* +@connection +get +set +del +pttl +incr +eval +evalsha +publish +subscribe +info +ping +cluster|info +cluster|slots';
    await redis.client.call('ACL', 'SETUSER', 'observers', 'on', '>right', ...allowed.split(' '));
    expect(await refusal(at('observers:right'))).toBe('it started');
    await redis.client.config('SET', 'requirepass', '');
  });

  test('a replica', async () => {
    const replica = await startRedis(['--replicaof', '127.0.0.1', String(redis.port)]);
    await until(async () => (await replica.client.info('replication')).includes('master_link_status:up'));
    expect(await refusal(replica.url)).toMatch(
      /^REDIS_URL leads to a replica, which takes no writes: READONLY.* → Name the master in REDIS_URL/,
    );
    await replica.close();
  });

  test('TLS: an authority that nobody trusts, a server that speaks none, and one that speaks nothing else', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'observers-redis-tls-'));
    const authority = createAuthority();
    const { cert, key } = authority.issue({ names: ['localhost', 'IP:127.0.0.1'] });
    const at = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const redisCaFile = at('ca.pem', authority.cert);
    const port = await freePort();
    const args = ['--port', '0', '--tls-port', String(port), '--tls-cert-file', at('cert.pem', cert), '--tls-key-file', at('key.pem', key), '--tls-ca-cert-file', redisCaFile, '--tls-auth-clients', 'no', '--bind', '127.0.0.1', '--save', '', '--dir', folder]; // prettier-ignore
    const secure = new SpawnedServer('redis-server', () => args, /Ready to accept connections/);
    await secure.start();
    const url = `rediss://127.0.0.1:${port}`;
    const untrusted = /^no TLS connection to the Redis of REDIS_URL can be made: .*OBSERVERS_REDIS_CA_FILE/;
    expect(await refusal(url)).toMatch(untrusted);
    expect(await refusal(url, { redisCaFile: at('other.pem', createAuthority('Other').cert) })).toMatch(untrusted);
    expect(await refusal(url, { redisCaFile: join(folder, 'none.pem') })).toMatch(/^OBSERVERS_REDIS_CA_FILE: the file cannot be read/);
    // It waits for the rest of a command.
    expect(await refusal(redis.url.replace('redis:', 'rediss:'))).toMatch(
      /^the Redis of REDIS_URL cannot be reached: .*redis:\/\/ or rediss:\/\//,
    );
    expect(await refusal(url.replace('rediss:', 'redis:'))).toMatch(
      /^the Redis of REDIS_URL cannot be reached: .*redis:\/\/ or rediss:\/\//,
    );
    expect(await refusal(url, { redisCaFile })).toBe('it started');
    await secure.remove();
    rmSync(folder, { recursive: true, force: true });
  });
});
