// Runs the built program again and again in this process, whose code is loaded once: half a second less for each command of a test.
// What a process sees of its own is set before each run: arguments, environment, folder, exit code.
const { setMaxListeners } = require('node:events');
const { sep } = require('node:path');

let exited = null;
let written = { out: '', err: '' };

/** What stands in for the end of the process: nothing is written after it. */
class Exit extends Error {}

process.exit = (code = process.exitCode ?? 0) => {
  exited ??= code;
  throw new Exit();
};
for (const [stream, name] of [
  [process.stdout, 'out'],
  [process.stderr, 'err'],
]) {
  stream.write = (chunk, encoding, done) => {
    if (exited === null) written[name] += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
    const callback = typeof encoding === 'function' ? encoding : done;
    if (callback !== undefined) process.nextTick(callback);
    return true;
  };
  setMaxListeners(0, stream);
}
setMaxListeners(0, process);

/** What would hold up the end of a process of the command's own, looked for again until nothing is left: sockets take a moment to close. */
async function left(patience) {
  for (const until = performance.now() + patience; ;) {
    const open = process.getActiveResourcesInfo().filter((kind) => kind !== 'PipeWrap' && kind !== 'Immediate');
    if (open.length === 0 || performance.now() > until) return open;
    await new Promise((again) => setImmediate(again));
  }
}

process.on('message', async ({ main, args, cwd, env }) => {
  exited = null;
  written = { out: '', err: '' };
  process.exitCode = undefined;
  process.argv = [process.execPath, main, ...args];
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, env);
  process.chdir(cwd);
  // The program's body runs again, and a module of the user's is read again.
  const own = main.startsWith(cwd) ? main : cwd + sep;
  for (const file of Object.keys(require.cache)) if (file === main || file.startsWith(own)) delete require.cache[file];
  try {
    await require(main).ended;
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
  }
  // process.exit ends whatever is still open, so this process is done; a command that returns has to close what it opened.
  const open = await left(exited === null ? 2_000 : 20);
  const hangs = exited === null && open.length > 0;
  if (hangs) written.err += `the program would not end: ${open.join(', ')}\n`;
  process.send({ code: hangs ? -1 : (exited ?? process.exitCode ?? 0), ...written, done: open.length > 0 });
});
process.on('disconnect', () => process.reallyExit(0));
