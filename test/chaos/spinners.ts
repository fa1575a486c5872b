import { spawn } from 'node:child_process';

/** It ends by itself, whatever becomes of the test. */
const SPIN = 'const end = Date.now() + 600_000; while (Date.now() < end);';

/** Processes that do nothing, as fast as they can: moments between two steps of the service become long. @returns ends them */
export function startSpinners(count: number): () => void {
  const children = Array.from({ length: count }, () => spawn(process.execPath, ['-e', SPIN], { stdio: 'ignore' }));
  return () => children.forEach((child) => child.kill('SIGKILL'));
}
