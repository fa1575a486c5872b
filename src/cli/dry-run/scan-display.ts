import { cursorStream } from '../../event/terminal';

/** How far a scan has come, on stderr, so that its result can be piped on. */
export interface ScanDisplay {
  show(done: number): void;
  end(): void;
}

/** A bar on a terminal; a line for every tenth part elsewhere. */
export async function scanDisplay(total: number, what = 'events'): Promise<ScanDisplay> {
  if (!process.stderr.isTTY) return lines(total, what);
  const { Presets, SingleBar } = await import('cli-progress');
  const bar = new SingleBar({ format: `{bar} {value} of {total} ${what}`, hideCursor: true, stream: cursorStream(process.stderr), clearOnComplete: true }, Presets.shades_classic); // prettier-ignore
  bar.start(total, 0);
  return { show: (done) => bar.update(done), end: () => bar.stop() };
}

function lines(total: number, what: string): ScanDisplay {
  let shown = 0;
  return {
    show: (done) => {
      const tenth = Math.floor((done * 10) / Math.max(1, total));
      if (tenth === shown) return;
      shown = tenth;
      process.stderr.write(`${done} of ${total} ${what}\n`);
    },
    end: () => undefined,
  };
}
