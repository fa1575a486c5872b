import type { Settings } from '../config/settings';
import { examineBrokers } from './brokers/examination';
import { examineRedis } from './redis/examination';
import type { ServerFinding } from './server-finding';

/** How the servers are from here that are not PostgreSQL, each where it is configured. Never rejects. */
export async function examineServers(settings: Settings): Promise<ServerFinding[]> {
  return (await Promise.all([examineRedis(settings), examineBrokers(settings)])).flat();
}
