/** Without percent-encoding; null when it is not percent-encoded UTF-8. */
export function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

const HOST = /^(\[[\da-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/i;

/** `host`, `host:port` or `[address]:port`. @param fallback the port where none is named @returns null when the text is none of these */
export function hostOf(text: string, fallback: number): HostAndPort | null {
  const [, host, port] = HOST.exec(text) ?? [];
  if (host === undefined) return null;
  const number = Number(port ?? fallback);
  return number >= 1 && number <= 65_535 ? { host: host.replace(/^\[|\]$/g, ''), port: number } : null;
}
