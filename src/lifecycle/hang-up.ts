/**
 * SIGHUP asks a service to load its file again. Node's default ends the process, and a service needs up to a second
 * to load its code and its file: a signal in that time is kept until there is something to reload.
 */
let reload: (() => void) | null = null;
let kept = false;

function hear(): void {
  if (reload === null) kept = true;
  else reload();
}

// Any other command ends at SIGHUP, as its terminal expects. Global options may stand before the command.
if (process.argv.slice(2).includes('start')) process.on('SIGHUP', hear);

/** From now on SIGHUP calls this, at once if one is kept. Null: nothing is reloaded any more. */
export function atHangUp(run: (() => void) | null): void {
  reload = run;
  process.off('SIGHUP', hear).on('SIGHUP', hear);
  if (run === null || !kept) return;
  kept = false;
  run();
}
