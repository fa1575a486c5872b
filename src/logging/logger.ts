import type { LoggerService } from '@nestjs/common';
import pino, { type Logger } from 'pino';
import { createColors } from 'picocolors';

/** URLs keep their host and lose what may be secret: user, password, query. */
const REDACT = ['password', 'secret', 'token', 'authorization', '*.password', '*.secret', '*.token', '*.authorization'];

/** @param format `auto`: pretty on a terminal, JSON lines otherwise */
export function createLogger(
  level: string,
  format: 'auto' | 'json' | 'pretty',
  out: NodeJS.WriteStream & { fd: number } = process.stdout,
): Logger {
  const pretty = format === 'pretty' || (format === 'auto' && out.isTTY);
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: REDACT,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  // Buffered for 50 ms: thousands of lines a second would otherwise be as many writes. The process flushes on its way out.
  return pretty
    ? pino(options, prettyStream(out))
    : pino(options, pino.destination({ fd: out.fd, sync: false, minLength: 4_096, periodicFlush: 50 }));
}

/** One line per record for people: time, level, message, then the fields that are left. */
function prettyStream(out: NodeJS.WriteStream): { write(line: string): void } {
  const colors = createColors(out.isTTY);
  const paint: Readonly<Record<string, (text: string) => string>> = {
    error: colors.red,
    fatal: colors.red,
    warn: colors.yellow,
    debug: colors.dim,
  };
  return {
    write(line) {
      const { level, time, msg, err, ...fields } = JSON.parse(line) as Record<string, unknown> & {
        level: string;
        time: string;
        msg?: string;
        err?: { message?: string } | string;
      };
      const details = Object.entries({ ...fields, ...(err === undefined ? {} : { error: typeof err === 'string' ? err : err.message }) });
      const rest = details
        .map(([key, value]) => colors.dim(`${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`))
        .join(' ');
      out.write(`${colors.dim(time.slice(11, 23))} ${(paint[level] ?? colors.cyan)(level.padEnd(5))} ${msg ?? ''} ${rest}\n`);
    },
  };
}

/** Nest's own few words go where ours go; its start-up chatter is for debugging. */
export function nestLogger(logger: Logger): LoggerService {
  return {
    log: (message: unknown) => logger.debug(String(message)),
    debug: (message: unknown) => logger.debug(String(message)),
    verbose: (message: unknown) => logger.trace(String(message)),
    warn: (message: unknown) => logger.warn(String(message)),
    error: (message: unknown, ...rest: unknown[]) => logger.error({ detail: rest.map(String) }, String(message)),
    fatal: (message: unknown) => logger.fatal(String(message)),
  };
}
