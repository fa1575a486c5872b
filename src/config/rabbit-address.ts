import { decoded } from './url-parts';

export const RABBIT_EXPECTED = 'amqp://user:password@host:5672/vhost or amqps://…, several with commas between; the vhost / is written %2F';

// Options of the client behind the vhost (?heartbeat= …) are no part of this setting.
const SERVER = /^amqps?:\/\/(?:[^@/?#\s]+@)?[^@/?#\s]+(?:\/[^/?#\s]*)?$/;

/** @returns null when the text is no such address */
export function rabbitServers(text: string): readonly URL[] | null {
  const servers = text.split(',').map((server) => server.trim());
  return servers.every((server) => SERVER.test(server) && URL.canParse(server) && decoded(server) !== null)
    ? servers.map((server) => new URL(server))
    : null;
}
