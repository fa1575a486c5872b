/**
 * Whoever reads our output may stop: `status | head`. Every other program is ended by a signal then, which Node ignores; what it gives instead is an error
 * of the stream that nobody expects, with a stack. So the program hears it, and ends as the signal would end it: quietly, and with its exit code.
 */

/** Of a program that SIGPIPE has ended, as shells tell it. */
const BROKEN_PIPE = 141;
const FAILED = 1;

/** Within another application its output is none of our business. */
let hearing = false;
let heard = false;
let stop: (() => void) | null = null;

/** From now on. To be called before anything is written. */
export function hearClosedOutput(): void {
  if (hearing) return;
  hearing = true;
  for (const stream of [process.stdout, process.stderr]) stream.on('error', outputFailed);
  // Who writes and exits at once is not told of the error any more.
  process.on('exit', () => {
    const error = process.stdout.errored ?? process.stderr.errored;
    if (error !== null && !heard) process.exitCode = codeOf(error);
  });
}

/** A write to stdout or stderr has failed. What runs is stopped in its order first; a command has nothing that its end would not end. */
export function outputFailed(error: NodeJS.ErrnoException): void {
  if (!hearing || heard) return;
  heard = true;
  process.exitCode = codeOf(error);
  if (process.exitCode === FAILED) process.stderr.write(`error: what was to be shown could not be written: ${error.message}\n`);
  if (stop === null) process.exit();
  stop();
}

/** What stops what runs, when nobody reads our output any more. Null: nothing runs. */
export function whenOutputEnds(run: (() => void) | null): void {
  stop = run;
}

// A terminal that was closed gives EIO.
function codeOf({ code }: NodeJS.ErrnoException): number {
  return code === 'EPIPE' || code === 'EIO' || code === 'ECONNRESET' ? BROKEN_PIPE : FAILED;
}
