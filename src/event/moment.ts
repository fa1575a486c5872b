/** `2026-01-31T10:00:00Z`, of a time as PostgreSQL writes it into JSON. The service's sessions are in UTC. */
export function toTheSecond(time: string): string {
  return `${time.slice(0, 19)}Z`;
}
