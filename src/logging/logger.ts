import type { LoggerService } from '@nestjs/common';
import pino, { type DestinationStream, type Logger } from 'pino';
import { SECRETS } from '../event/secrets';
import { BREAK, colorsFor, visible, visibleJson, writeTrusted } from '../event/terminal';
import { outputFailed } from './closed-output';

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
  if (pretty) return pino(options, withoutSecrets(prettyStream(out)));
  const json = withoutSecrets(batchedStream(out.fd));
  return pino(options, out.isTTY ? escapedStream(json) : json);
}

/** For a terminal: the JSON means the same, and holds nothing that a terminal obeys. */
function escapedStream<Stream extends { write(line: string): void }>(stream: Stream): Stream {
  const write = stream.write.bind(stream);
  return Object.assign(stream, { write: (line: string) => write(visibleJson(line)) });
}

/** How the line of an event ends, of which there are thousands a second; all that is in it is ours. */
const EVENT = '"msg":"event"}\n';

/** What receivers and databases say may hold what they were sent. */
function withoutSecrets<Stream extends { write(line: string): void }>(stream: Stream): Stream {
  const write = stream.write.bind(stream);
  return Object.assign(stream, { write: (line: string) => write(line.endsWith(EVENT) ? line : SECRETS.hide(line)) });
}

/** Characters of lines that are written at once, or sooner when this much time has passed, in milliseconds. */
const BATCH = 32_768;
const LONGEST = 50;

/**
 * Thousands of lines a second would otherwise be as many writes: of the 17 µs that a line takes this saves 7. (The destination has a
 * buffer too, but measures all of it again for each line.) The process flushes on its way out.
 */
function batchedStream(fd: number): DestinationStream & { flush(done?: (error?: Error) => void): void } {
  const destination = pino.destination({ fd, sync: false, maxWrite: 2 * BATCH });
  // pino would go on in silence.
  destination.on('error', outputFailed);
  let lines: string[] = [];
  let length = 0;
  let timer: NodeJS.Timeout | null = null;
  const pass = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (lines.length > 0) destination.write(lines.join(''));
    lines = [];
    length = 0;
  };
  process.once('exit', () => {
    pass();
    try {
      destination.flushSync();
    } catch {
      // Nobody reads it.
    }
  });
  return {
    write(line) {
      lines.push(line);
      length += line.length;
      if (length >= BATCH) pass();
      else timer ??= setTimeout(pass, LONGEST);
    },
    flush(done) {
      pass();
      destination.flush(done);
    },
  };
}

/** One line per record for people: time, level, message, then the fields that are left. */
function prettyStream(out: NodeJS.WriteStream): { write(line: string): void } {
  const colors = colorsFor(out.isTTY);
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
      const head = `${colors.dim(time.slice(11, 23))} ${(paint[level] ?? colors.cyan)(level.padEnd(5))}`;
      writeTrusted(out, visible(`${head} ${msg ?? ''} ${rest}${BREAK}`));
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
