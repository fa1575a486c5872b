import type { Logger } from 'pino';
import { messageOf } from '../event/errors';
import { whenOutputEnds } from '../logging/closed-output';
import { atHangUp } from './hang-up';

interface Running {
  stop(): Promise<void>;
  /** At SIGHUP. What is wrong it tells by itself. */
  reload?(): Promise<unknown>;
}

/**
 * Starts something and stops it at SIGINT or SIGTERM, or when nobody reads its output any more; a second signal does not wait. Returns when it has stopped.
 *
 * @throws what start threw, and what `onFatal` was called with
 */
export async function runUntilSignal(logger: Logger, start: (onFatal: (error: unknown) => void) => Promise<Running>): Promise<void> {
  let finish: (error: unknown) => void = () => undefined;
  const finished = new Promise<unknown>((resolve) => (finish = resolve));
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (++signals > 1) process.exit(130);
    logger.info({ signal }, 'stopping; a second signal stops at once');
    finish(null);
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  whenOutputEnds(() => finish(null));
  try {
    const running = await start(finish);
    atHangUp(() => void running.reload?.().catch(() => undefined));
    const error = await finished;
    await running.stop();
    if (error !== null) throw error instanceof Error ? error : new Error(messageOf(error));
    logger.info('stopped');
  } finally {
    atHangUp(null);
    whenOutputEnds(null);
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    logger.flush();
  }
}
